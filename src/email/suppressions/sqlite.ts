import type { Database } from "bun:sqlite";
import type { SqliteDatabase } from "../../core/sqlite/database.ts";
import type { Clock } from "../../core/time.ts";
import { systemClock } from "../../core/time.ts";
import schemaText from "./sqlite-schema.sql" with { type: "text" };
import type { Suppression, SuppressionReason, SuppressionStore } from "./suppression-store.ts";
import { latestEntries } from "./suppression-store.ts";

interface SuppressionRow {
  readonly recipient_key: string;
  readonly address: string | null;
  readonly reason: SuppressionReason;
  readonly note: string | null;
  readonly created_at: number;
  readonly expires_at: number | null;
}

const active = "(expires_at IS NULL OR expires_at > ?1)";
const wanted = "(?2 IS NULL OR reason = ?2)";

/** Suppressions in the table `email_suppressions` of a SQLite file. Does not close it. */
export async function openSqliteSuppressionStore(
  database: SqliteDatabase,
  { clock = systemClock }: { readonly clock?: Clock } = {},
): Promise<SuppressionStore> {
  await database.migrate("email-suppressions", [schemaText]);
  const select = (where: string, ...parameters: (string | number | null)[]) =>
    database.read((db) =>
      db
        .query<SuppressionRow, (string | number | null)[]>(
          `SELECT * FROM email_suppressions WHERE ${active} AND ${where}`,
        )
        .all(clock.now(), ...parameters)
        .map(entryOf),
    );
  return {
    find: async (keys) => {
      const where = "recipient_key IN (SELECT value FROM json_each(?2))";
      const found = select(where, JSON.stringify(keys));
      return new Map(found.map((entry) => [entry.key, entry]));
    },
    add: (entries) => database.write((db) => add(db, entries, clock.now())),
    remove: (key) =>
      database.write((db) => {
        const isActive = db
          .query(`SELECT 1 FROM email_suppressions WHERE ${active} AND recipient_key = ?2`)
          .get(clock.now(), key);
        db.query("DELETE FROM email_suppressions WHERE recipient_key = ?").run(key);
        return isActive !== null;
      }),
    forgetAddress: async (key) => {
      await database.write((db) =>
        db
          .query(
            "UPDATE email_suppressions SET address = NULL, note = NULL WHERE recipient_key = ?",
          )
          .run(key),
      );
    },
    newest: async ({ limit, reason = null }) =>
      select(`${wanted} ORDER BY created_at DESC, recipient_key LIMIT ?3`, reason, limit),
    page: async ({ after, limit }) =>
      select("recipient_key > ?2 ORDER BY recipient_key LIMIT ?3", after, limit),
    count: async (reason = undefined) =>
      database.read((db) => {
        const row = db
          .query<{ count: number }, [number, string | null]>(
            `SELECT count(*) AS count FROM email_suppressions WHERE ${active} AND ${wanted}`,
          )
          .get(clock.now(), reason ?? null);
        return row?.count ?? 0;
      }),
  };
}

function add(db: Database, entries: readonly Suppression[], now: number): number {
  db.query("DELETE FROM email_suppressions WHERE expires_at <= ?").run(now);
  const insert = db.query(`
    INSERT INTO email_suppressions VALUES (?, ?, ?, ?, ?, ?)
    ON CONFLICT (recipient_key) DO UPDATE SET
      address = coalesce(excluded.address, address),
      reason = excluded.reason,
      note = excluded.note,
      created_at = excluded.created_at,
      expires_at = excluded.expires_at
    WHERE expires_at IS NOT NULL
      AND (excluded.expires_at IS NULL OR excluded.expires_at > expires_at)`);
  let written = 0;
  for (const entry of latestEntries(entries, now)) {
    const { key, address = null, reason, note = null, createdAt, expiresAt = null } = entry;
    written += insert.run(key, address, reason, note, createdAt, expiresAt).changes;
  }
  return written;
}

function entryOf(row: SuppressionRow): Suppression {
  return {
    key: row.recipient_key,
    address: row.address ?? undefined,
    reason: row.reason,
    note: row.note ?? undefined,
    createdAt: row.created_at,
    expiresAt: row.expires_at ?? undefined,
  };
}
