import { join } from "node:path";
import { openSqlite } from "../../src/core/sqlite/database.ts";
import type { Clock } from "../../src/core/time.ts";
import { openPostgresPreferenceStore } from "../../src/email/preferences/postgres.ts";
import type { PreferenceStore } from "../../src/email/preferences/preference-store.ts";
import { openSqlitePreferenceStore } from "../../src/email/preferences/sqlite.ts";
import { openPostgresSuppressionStore } from "../../src/email/suppressions/postgres.ts";
import { openSqliteSuppressionStore } from "../../src/email/suppressions/sqlite.ts";
import type { SuppressionStore } from "../../src/email/suppressions/suppression-store.ts";
import { openTestPostgres } from "../../support/postgres-schema.ts";
import { temporaryDirectory } from "../../support/temporary-directory.ts";

export interface RecipientStores {
  readonly preferences: PreferenceStore;
  readonly suppressions: SuppressionStore;
}

/** Preferences and suppressions of one test alone: in a Postgres schema, or a SQLite file. */
export async function openRecipientStores(
  postgres: string | undefined,
  stack: AsyncDisposableStack,
  options: { readonly clock?: Clock } = {},
): Promise<RecipientStores> {
  if (postgres === undefined) {
    const { path } = stack.use(temporaryDirectory());
    const database = stack.use(await openSqlite(join(path, "users.sqlite")));
    return {
      preferences: await openSqlitePreferenceStore(database, options),
      suppressions: await openSqliteSuppressionStore(database, options),
    };
  }
  const database = stack.use(await openTestPostgres(postgres));
  return {
    preferences: await openPostgresPreferenceStore(database, options),
    suppressions: await openPostgresSuppressionStore(database, options),
  };
}
