import type { PostgresDatabase, SchemaModule } from "../../core/postgres/database.ts";
import { migrateLater } from "../../core/postgres/database.ts";
import type { SchemaName, Sql } from "../../core/postgres/pool.ts";
import type { Clock } from "../../core/time.ts";
import { systemClock } from "../../core/time.ts";
import schemaText from "./postgres-schema.sql" with { type: "text" };
import type { Suppression, SuppressionReason, SuppressionStore } from "./suppression-store.ts";
import { latestEntries } from "./suppression-store.ts";

interface SuppressionRow {
  readonly recipient_key: string;
  readonly address: string | null;
  readonly reason: SuppressionReason;
  readonly note: string | null;
  readonly created_at: Date;
  readonly expires_at: Date | null;
}

interface Context {
  readonly schema: SchemaName;
  readonly now: Date;
}

type Statement<T> = (sql: Sql, context: Context) => Promise<T>;

export const suppressionsModule: SchemaModule = {
  module: "email-suppressions",
  steps: [schemaText],
};

/**
 * Suppressions in the table `email_suppressions` of Postgres, which may be unavailable when this is
 * called. Does not close the given database.
 */
export async function openPostgresSuppressionStore(
  database: PostgresDatabase,
  { clock = systemClock }: { readonly clock?: Clock } = {},
): Promise<SuppressionStore> {
  const migrated = await migrateLater(
    database,
    suppressionsModule.module,
    suppressionsModule.steps,
  );
  const query = async <T>(statement: Statement<T>): Promise<T> => {
    await migrated();
    return database.query((sql, schema) => statement(sql, { schema, now: new Date(clock.now()) }));
  };
  const select = async (statement: Statement<SuppressionRow[]>) =>
    (await query(statement)).map(entryOf);
  return {
    find: async (keys) => {
      const list = keys.join(","); // one parameter: the statement is the same for any number of keys
      const found = await select(
        (sql, { schema, now }) => sql<SuppressionRow[]>`
          SELECT * FROM ${schema}.email_suppressions
          WHERE recipient_key = ANY(string_to_array(${list}, ','))
            AND (expires_at IS NULL OR expires_at > ${now})`,
      );
      return new Map(found.map((entry) => [entry.key, entry]));
    },
    add: (entries) => query((sql, context) => add(sql, entries, context)),
    remove: async (key) => {
      const removed = await query(
        (sql, { schema, now }) => sql<{ active: boolean }[]>`
          DELETE FROM ${schema}.email_suppressions WHERE recipient_key = ${key}
          RETURNING (expires_at IS NULL OR expires_at > ${now}) AS active`,
      );
      return removed[0]?.active ?? false;
    },
    forgetAddress: async (key) => {
      await query(
        (sql, { schema }) => sql`
          UPDATE ${schema}.email_suppressions SET address = NULL, note = NULL WHERE recipient_key = ${key}`,
      );
    },
    newest: ({ limit, reason = null }) =>
      select(
        (sql, { schema, now }) => sql<SuppressionRow[]>`
          SELECT * FROM ${schema}.email_suppressions
          WHERE (expires_at IS NULL OR expires_at > ${now})
            AND (${reason}::text IS NULL OR reason = ${reason})
          ORDER BY created_at DESC, recipient_key LIMIT ${limit}`,
      ),
    page: ({ after, limit }) =>
      select(
        (sql, { schema, now }) => sql<SuppressionRow[]>`
          SELECT * FROM ${schema}.email_suppressions
          WHERE recipient_key > ${after} AND (expires_at IS NULL OR expires_at > ${now})
          ORDER BY recipient_key LIMIT ${limit}`,
      ),
    count: async (reason) => {
      const wanted = reason ?? null;
      const rows = await query(
        (sql, { schema, now }) => sql<{ count: number }[]>`
          SELECT count(*)::int AS count FROM ${schema}.email_suppressions
          WHERE (expires_at IS NULL OR expires_at > ${now})
            AND (${wanted}::text IS NULL OR reason = ${wanted})`,
      );
      return rows[0]?.count ?? 0;
    },
  };
}

async function add(
  sql: Sql,
  entries: readonly Suppression[],
  { schema, now }: Context,
): Promise<number> {
  await sql`DELETE FROM ${schema}.email_suppressions WHERE expires_at <= ${now}`;
  const rows = latestEntries(entries, now.getTime()).map((entry) => ({
    ...entry,
    createdAt: new Date(entry.createdAt).toISOString(),
    expiresAt: entry.expiresAt === undefined ? null : new Date(entry.expiresAt).toISOString(),
  }));
  const written = await sql`
    INSERT INTO ${schema}.email_suppressions AS kept
      (recipient_key, address, reason, note, created_at, expires_at)
    SELECT key, address, reason, note, "createdAt", "expiresAt"
    FROM jsonb_to_recordset(${JSON.stringify(rows)}::text::jsonb) AS entry
      (key text, address text, reason text, note text, "createdAt" timestamptz, "expiresAt" timestamptz)
    ORDER BY key
    ON CONFLICT (recipient_key) DO UPDATE SET
      address = coalesce(excluded.address, kept.address),
      reason = excluded.reason,
      note = excluded.note,
      created_at = excluded.created_at,
      expires_at = excluded.expires_at
    WHERE kept.expires_at IS NOT NULL
      AND (excluded.expires_at IS NULL OR excluded.expires_at > kept.expires_at)
    RETURNING recipient_key`;
  return written.length;
}

function entryOf(row: SuppressionRow): Suppression {
  return {
    key: row.recipient_key,
    address: row.address ?? undefined,
    reason: row.reason,
    note: row.note ?? undefined,
    createdAt: row.created_at.getTime(),
    expiresAt: row.expires_at?.getTime(),
  };
}
