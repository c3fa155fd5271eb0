import { resolvePostgres } from "../core/postgres/config.ts";
import { openPostgres } from "../core/postgres/database.ts";
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

/** What is known of the recipients of mails, beside the users. */
export async function openRecipientStores(engines: Engines): Promise<RecipientStores> {
  const postgres = resolvePostgres(engines.config.postgres);
  if (postgres === undefined) {
    const file = await engines.file("users");
    return {
      preferences: await openSqlitePreferenceStore(file),
      suppressions: await openSqliteSuppressionStore(file),
    };
  }
  const database = await engines.once("postgres", () => openPostgres(postgres));
  const [preferences, suppressions] = await Promise.all([
    openPostgresPreferenceStore(database),
    openPostgresSuppressionStore(database),
  ]);
  return { preferences, suppressions };
}
