import { openPostgresPreferenceStore } from "../email/preferences/postgres.ts";
import type { PreferenceStore } from "../email/preferences/preference-store.ts";
import { openSqlitePreferenceStore } from "../email/preferences/sqlite.ts";
import { openPostgresSuppressionStore } from "../email/suppressions/postgres.ts";
import { openSqliteSuppressionStore } from "../email/suppressions/sqlite.ts";
import type { SuppressionStore } from "../email/suppressions/suppression-store.ts";
import type { Engines } from "./engines.ts";

export interface RecipientStores {
  readonly preferences: PreferenceStore;
  readonly suppressions: SuppressionStore;
}

/** What is known of the recipients of mails, beside the users; opened once. */
export function openRecipientStores(engines: Engines): Promise<RecipientStores> {
  return engines.remember("recipient stores", () => open(engines));
}

async function open(engines: Engines): Promise<RecipientStores> {
  const postgres = await engines.postgres();
  if (postgres === undefined) {
    const file = await engines.file("users");
    return {
      preferences: await openSqlitePreferenceStore(file),
      suppressions: await openSqliteSuppressionStore(file),
    };
  }
  const [preferences, suppressions] = await Promise.all([
    openPostgresPreferenceStore(postgres),
    openPostgresSuppressionStore(postgres),
  ]);
  return { preferences, suppressions };
}
