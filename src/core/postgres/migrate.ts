import { coreErrors, InstantError } from "../errors.ts";
import { withDeadline } from "../time.ts";
import { classifyPostgresError } from "./errors.ts";
import type { PostgresOptions, SqlTransaction } from "./pool.ts";
import { connect, quoteIdentifier, runInTransaction, schemaFragment, schemaOf } from "./pool.ts";

/**
 * The tables of one room: `steps` bring them from nothing to what this program knows. Each table in
 * them stands as `:"schema".auth_users`, which psql reads as well (`psql -v schema=instant`).
 */
export interface SchemaModule {
  readonly module: string;
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
export async function migrateModule(
  options: PostgresOptions,
  schema: string,
  { module, steps }: SchemaModule,
): Promise<void> {
  const statementTimeoutMs = migrationDeadlineMs;
  const sql = connect(options, { statementTimeoutMs, scope: "transaction", connectionsMax: 1 });
  try {
    const work = runInTransaction(sql, statementTimeoutMs, async (transaction) => {
      await transaction`SELECT pg_advisory_xact_lock(${lockNumber}::bigint)`;
      if (schemaOf(options) !== undefined) await createSchema(transaction, schema);
      await migrate(transaction, schema, { module, steps });
    });
    await withDeadline(`migrating ${module}`, migrationDeadlineMs, work);
  } catch (error) {
    throw classifyPostgresError(error, options);
  } finally {
    await sql.end({ timeout: 1 });
  }
}

async function migrate(
  sql: SqlTransaction,
  schemaName: string,
  { module, steps }: SchemaModule,
): Promise<void> {
  const schema = schemaFragment(sql, schemaName);
  await sql`
    CREATE TABLE IF NOT EXISTS ${schema}.instant_schema_versions (
      module text PRIMARY KEY, version integer NOT NULL)`;
  await renameRoomColumn(sql, schemaName);
  const rows = await sql<{ version: number }[]>`
    SELECT version FROM ${schema}.instant_schema_versions WHERE module = ${module}`;
  const version = rows[0]?.version ?? 0;
  if (version > steps.length) {
    throw new InstantError(coreErrors.postgresFailed, {
      detail: `${module} is at schema ${version}, written by a newer instant (this one knows ${steps.length})`,
    });
  }
  for (const step of steps.slice(version)) {
    await sql.unsafe(step.replaceAll(':"schema"', () => quoteIdentifier(schemaName)));
  }
  await sql`
    INSERT INTO ${schema}.instant_schema_versions (module, version) VALUES (${module}, ${steps.length})
    ON CONFLICT (module) DO UPDATE SET version = excluded.version`;
}

/** Release 0.1 called the column "room". */
async function renameRoomColumn(sql: SqlTransaction, schema: string): Promise<void> {
  const rows = await sql`
    SELECT 1 FROM pg_catalog.pg_attribute a
    JOIN pg_catalog.pg_class c ON c.oid = a.attrelid
    JOIN pg_catalog.pg_namespace n ON n.oid = c.relnamespace
    WHERE n.nspname = ${schema} AND c.relname = 'instant_schema_versions' AND a.attname = 'room'`;
  if (rows.length === 0) return;
  await sql`
    ALTER TABLE ${schemaFragment(sql, schema)}.instant_schema_versions RENAME COLUMN room TO module`;
}

/** Looks first: CREATE SCHEMA IF NOT EXISTS needs the right to create even when there is one. */
async function createSchema(sql: SqlTransaction, schema: string): Promise<void> {
  const rows = await sql`SELECT 1 FROM pg_catalog.pg_namespace WHERE nspname = ${schema}`;
  if (rows.length === 0) await sql`CREATE SCHEMA ${schemaFragment(sql, schema)}`;
}
