import type { SqliteDatabase } from "../../core/sqlite/database.ts";
import type { Clock } from "../../core/time.ts";
import { systemClock } from "../../core/time.ts";
import type { DeclinedRow, PreferenceStore } from "./preference-store.ts";
import { groupDeclined, splitPreferences } from "./preference-store.ts";
import schemaText from "./sqlite-schema.sql" with { type: "text" };

/** Preferences in the table `email_declined` of a SQLite file. Does not close it. */
export async function openSqlitePreferenceStore(
  database: SqliteDatabase,
  { clock = systemClock }: { readonly clock?: Clock } = {},
): Promise<PreferenceStore> {
  await database.migrate("email-preferences", [schemaText]);
  return {
    findDeclined: async (keys) => {
      const rows = database.read((db) =>
        db
          .query<DeclinedRow, [string]>(
            `SELECT recipient_key, event_type FROM email_declined
             WHERE recipient_key IN (SELECT value FROM json_each(?))`,
          )
          .all(JSON.stringify(keys)),
      );
      return groupDeclined(rows);
    },
    change: (key, changes) =>
      database.write((db) => {
        const { declined, accepted } = splitPreferences(changes);
        const accept = db.query(
          "DELETE FROM email_declined WHERE recipient_key = ? AND event_type = ?",
        );
        const decline = db.query("INSERT OR IGNORE INTO email_declined VALUES (?, ?, ?)");
        for (const type of accepted) accept.run(key, type);
        for (const type of declined) decline.run(key, type, clock.now());
      }),
    forget: async (key) => {
      await database.write((db) =>
        db.query("DELETE FROM email_declined WHERE recipient_key = ?").run(key),
      );
    },
  };
}
