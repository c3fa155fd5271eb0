import { withDeadline } from "../deadline.ts";
import { coreErrors } from "../error-codes.ts";
import { InstantError } from "../errors.ts";
import { classifyPostgresError } from "./errors.ts";
import type { PostgresOptions, SqlTransaction } from "./pool.ts";
import { connect, runInTransaction, schemaOf } from "./pool.ts";

/** The tables of one room: `steps` bring them from nothing to what this program knows. */
export interface SchemaRoom {
  readonly room: string;
  readonly steps: readonly string[];
}

const migrationDeadlineMs = 60_000;

/** Any constant does, as long as every version of the program uses the same one. */
const lockNumber = 7_136_082_415;

/**
 * Runs the missing steps of one room in one transaction, on a connection of its own, while holding
 * an advisory lock: of several processes that start together one works and the others find it
 * done. A failing step leaves nothing behind.
 */
export async function migrateRoom(
  options: PostgresOptions,
  room: string,
  steps: readonly string[],
): Promise<void> {
  const statementTimeoutMs = migrationDeadlineMs;
  const sql = connect(options, { statementTimeoutMs, scope: "transaction", connectionsMax: 1 });
  try {
    const work = runInTransaction(sql, options, statementTimeoutMs, (transaction) =>
      migrate(transaction, { options, room, steps }),
    );
    await withDeadline(`migrating ${room}`, migrationDeadlineMs, work);
  } catch (error) {
    throw classifyPostgresError(error, options);
  } finally {
    await sql.end({ timeout: 1 });
  }
}

async function migrate(
  sql: SqlTransaction,
  { options, room, steps }: { options: PostgresOptions; room: string; steps: readonly string[] },
): Promise<void> {
  await sql`SELECT pg_advisory_xact_lock(${lockNumber}::bigint)`;
  const schema = schemaOf(options);
  if (schema !== undefined) await createSchema(sql, schema);
  await sql`CREATE TABLE IF NOT EXISTS instant_schema_versions (room text PRIMARY KEY, version integer NOT NULL)`;
  const rows = await sql<{ version: number }[]>`
    SELECT version FROM instant_schema_versions WHERE room = ${room}`;
  const version = rows[0]?.version ?? 0;
  if (version > steps.length) {
    throw new InstantError(coreErrors.postgresFailed, {
      detail: `${room} is at schema ${version}, written by a newer instant (this one knows ${steps.length})`,
    });
  }
  for (const step of steps.slice(version)) await sql.unsafe(step);
  await sql`
    INSERT INTO instant_schema_versions (room, version) VALUES (${room}, ${steps.length})
    ON CONFLICT (room) DO UPDATE SET version = excluded.version`;
}

/** Looks first: CREATE SCHEMA IF NOT EXISTS needs the right to create even when there is one. */
async function createSchema(sql: SqlTransaction, schema: string): Promise<void> {
  const rows = await sql`SELECT 1 FROM pg_namespace WHERE nspname = ${schema}`;
  if (rows.length === 0) await sql`CREATE SCHEMA ${sql(schema)}`;
}
