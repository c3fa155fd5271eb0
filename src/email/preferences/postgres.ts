import type { PostgresDatabase, SchemaModule } from "../../core/postgres/database.ts";
import { migrateLater } from "../../core/postgres/database.ts";
import type { Clock } from "../../core/time.ts";
import { systemClock } from "../../core/time.ts";
import schemaText from "./postgres-schema.sql" with { type: "text" };
import type { DeclinedRow, PreferenceStore } from "./preference-store.ts";
import { groupDeclined, splitPreferences } from "./preference-store.ts";

export const preferencesModule: SchemaModule = { module: "email-preferences", steps: [schemaText] };

/**
 * Preferences in the table `email_declined` of Postgres, which may be unavailable when this is
 * called. Does not close the given database.
 */
export async function openPostgresPreferenceStore(
  database: PostgresDatabase,
  { clock = systemClock }: { readonly clock?: Clock } = {},
): Promise<PreferenceStore> {
  const migrated = await migrateLater(database, preferencesModule.module, preferencesModule.steps);
  return {
    findDeclined: async (keys) => {
      await migrated();
      const list = keys.join(","); // one parameter: the statement is the same for any number of keys
      const rows = await database.query(
        (sql, schema) => sql<DeclinedRow[]>`
          SELECT recipient_key, event_type FROM ${schema}.email_declined
          WHERE recipient_key = ANY(string_to_array(${list}, ','))`,
      );
      return groupDeclined(rows);
    },
    change: async (key, changes) => {
      await migrated();
      const { declined, accepted } = splitPreferences(changes);
      const now = new Date(clock.now());
      await database.transaction(async (sql, schema) => {
        await sql`
          DELETE FROM ${schema}.email_declined
          WHERE recipient_key = ${key} AND event_type = ANY(string_to_array(${accepted.join(",")}, ','))`;
        await sql`
          INSERT INTO ${schema}.email_declined (recipient_key, event_type, declined_at)
          SELECT ${key}, event_type, ${now}
          FROM unnest(string_to_array(${declined.join(",")}, ',')) AS event_type
          ON CONFLICT DO NOTHING`;
      });
    },
    forget: async (key) => {
      await migrated();
      await database.query(
        (sql, schema) => sql`DELETE FROM ${schema}.email_declined WHERE recipient_key = ${key}`,
      );
    },
  };
}
