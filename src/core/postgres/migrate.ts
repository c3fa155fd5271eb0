import { coreErrors, InstantError } from "../errors.ts";
import { withDeadline } from "../time.ts";
import { classifyPostgresError } from "./errors.ts";
import type { SqlTransaction } from "./pool.ts";
import { connect, quoteIdentifier, runInTransaction, schemaFragment } from "./pool.ts";
import type { PostgresConnection } from "./url.ts";

/**
 * The tables of one module: `steps` migrate them from nothing to the current version. They name
 * tables as `:"schema".auth_users`, which psql reads too (`psql -v schema=instant`).
 */
export interface SchemaModule {
  readonly module: string;
  readonly steps: readonly string[];
}

const migrationDeadlineMs = 60_000;

/** Arbitrary, but the same in every version of the program. */
const lockNumber = 7_136_082_415;

/**
 * Runs the missing steps of one module in one transaction, on its own connection, under an advisory
 * lock: when several processes start together, one does the work and the others find it done. A
 * failing step is rolled back.
 */
export async function migrateModule(
  connection: PostgresConnection,
  schema: string,
  { module, steps }: SchemaModule,
): Promise<void> {
  const statementTimeoutMs = migrationDeadlineMs;
  const sql = connect(connection, { statementTimeoutMs, scope: "transaction", connectionsMax: 1 });
  try {
    const work = runInTransaction(sql, statementTimeoutMs, async (transaction) => {
      await transaction`SELECT pg_advisory_xact_lock(${lockNumber}::bigint)`;
      if (connection.schema !== undefined) await createSchema(transaction, schema);
      await migrate(transaction, schema, { module, steps });
    });
    await withDeadline(`migrating ${module}`, migrationDeadlineMs, work);
  } catch (error) {
    throw classifyPostgresError(error, connection);
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

/** Checks first: CREATE SCHEMA IF NOT EXISTS needs the privilege even if the schema exists. */
async function createSchema(sql: SqlTransaction, schema: string): Promise<void> {
  const rows = await sql`SELECT 1 FROM pg_catalog.pg_namespace WHERE nspname = ${schema}`;
  if (rows.length === 0) await sql`CREATE SCHEMA ${schemaFragment(sql, schema)}`;
}
