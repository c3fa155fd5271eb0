// Postgres for the stores: deadlines, reconnects, and the migration of each module's tables.
import { coreErrors, InstantError, isInstantError } from "../errors.ts";
import { withDeadline } from "../time.ts";
import type { PostgresConnection } from "./config.ts";
import { addressOf } from "./config.ts";
import type { SchemaName, Session, Sql, SqlTransaction } from "./pool.ts";
import {
  classifyPostgresError,
  connect,
  findSession,
  findStalePrepared,
  isStandby,
  quoteIdentifier,
  runInTransaction,
  schemaFragment,
} from "./pool.ts";

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
async function migrateModule(
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

/**
 * A pool of at most 10 connections, opened when first needed, so that opening never fails.
 *
 * Every call ends within the deadline (2 s): the server ends a statement a quarter earlier
 * (`statement_timeout`), and one that hangs because the server is frozen or unreachable is given up
 * here. Throws `postgres_unavailable` (try again) or `postgres_failed` (needs a fix); a unique
 * violation is thrown unchanged, for `uniqueViolation`.
 */
export interface PostgresDatabase extends AsyncDisposable {
  /** For people: "localhost:5432/instant". */
  readonly address: string;
  /** Tables are named with their schema: `${schema}.auth_users`. */
  query<T>(statement: (sql: Sql, schema: SchemaName) => Promise<T>): Promise<T>;
  /** Runs `work` in one transaction. The server ends a connection that stays idle inside it. */
  transaction<T>(work: (sql: SqlTransaction, schema: SchemaName) => Promise<T>): Promise<T>;
  /**
   * Migrates the tables of one module to the last of `steps` (see `SchemaModule`), each run once
   * and in order, under a lock, so that processes may start together. May take a minute, not 2 s.
   */
  migrate(module: string, steps: readonly string[]): Promise<void>;
  ping(options: { readonly deadlineMs: number }): Promise<void>;
  /** Lets statements in flight finish for 5 s. Idempotent. */
  close(): Promise<void>;
}

/** `deadlineMs`: how long a call may take as the caller sees it. */
export function openPostgres(
  connection: PostgresConnection,
  { deadlineMs = 2_000 }: { readonly deadlineMs?: number } = {},
): PostgresDatabase {
  return new Pools(connection, deadlineMs);
}

/**
 * Open: calls run on the current pool. A call that exceeds the deadline discards its pool, because
 * its connections may be dead; so does one that reaches a standby. The next call opens a new pool.
 * Closed: calls throw `postgres_unavailable`.
 *
 * The first call determines what holds for all (see `Session`). A lost prepared statement reveals a
 * pooler that looked like a server: the call is repeated once, and nothing is prepared from then
 * on. A statement whose table has changed is repeated once as well, on new connections.
 * (postgres.js itself repeats neither: see patches/.)
 */
class Pools implements PostgresDatabase {
  readonly address: string;
  readonly #connection: PostgresConnection;
  readonly #deadlineMs: number;
  readonly #statementTimeoutMs: number;
  readonly #endings = new Set<Promise<void>>();
  #pool: Sql | undefined;
  #session: Promise<Session> | undefined;
  #closing: Promise<void> | undefined;

  constructor(connection: PostgresConnection, deadlineMs: number) {
    this.address = addressOf(connection);
    this.#connection = connection;
    this.#deadlineMs = deadlineMs;
    this.#statementTimeoutMs = deadlineMs * 0.75;
  }

  query<T>(statement: (sql: Sql, schema: SchemaName) => Promise<T>): Promise<T> {
    return this.#run(statement, this.#deadlineMs);
  }

  transaction<T>(work: (sql: SqlTransaction, schema: SchemaName) => Promise<T>): Promise<T> {
    return this.query(async (sql, schema) => {
      if (!("begin" in sql)) return work(sql, schema); // already in a transaction
      const begun = sql.begin((transaction) => work(transaction, schema));
      return (await begun) as Awaited<ReturnType<typeof work>>;
    });
  }

  async ping({ deadlineMs }: { readonly deadlineMs: number }): Promise<void> {
    await this.#run((sql) => sql`SELECT 1`, deadlineMs);
  }

  async migrate(module: string, steps: readonly string[]): Promise<void> {
    try {
      const { schema } = await withDeadline("migrating", this.#deadlineMs, this.#findSession());
      await migrateModule(this.#connection, this.#needed(schema), { module, steps });
    } catch (error) {
      if (isInstantError(error, coreErrors.deadlineExceeded)) throw this.#lateError(error);
      throw classifyPostgresError(error, this.#connection);
    }
  }

  close(): Promise<void> {
    this.#closing ??= (async () => {
      if (this.#pool !== undefined) await endPool(this.#pool, 5);
      await Promise.all(this.#endings);
    })();
    return this.#closing;
  }

  [Symbol.asyncDispose](): Promise<void> {
    return this.close();
  }

  async #run<T>(
    work: (sql: Sql, schema: SchemaName) => Promise<T>,
    callDeadlineMs: number,
  ): Promise<T> {
    if (this.#closing !== undefined) {
      throw new InstantError(coreErrors.postgresUnavailable, { detail: `${this.address}: closed` });
    }
    const endsAt = performance.now() + callDeadlineMs;
    let used: Sql | undefined;
    const attempt = () => {
      const attempted = this.#attempt(work, (pool) => {
        used = pool;
      });
      return withDeadline("statement", endsAt - performance.now(), attempted);
    };
    try {
      return await attempt().catch(async (error: unknown) => {
        const stale = findStalePrepared(error);
        if (stale === undefined) throw error;
        if (stale === "lost") {
          const { schema } = await this.#findSession();
          this.#session = Promise.resolve({ scope: "transaction", schema });
        }
        this.#discard(used);
        return attempt();
      });
    } catch (error) {
      const isLate = isInstantError(error, coreErrors.deadlineExceeded);
      if (isLate || isStandby(error)) this.#discard(used);
      if (!isLate) throw classifyPostgresError(error, this.#connection);
      throw this.#lateError(error, callDeadlineMs);
    }
  }

  async #attempt<T>(
    work: (sql: Sql, schema: SchemaName) => Promise<T>,
    onPool: (pool: Sql) => void,
  ): Promise<T> {
    const statementTimeoutMs = this.#statementTimeoutMs;
    const session = await this.#findSession();
    this.#pool ??= connect(this.#connection, { statementTimeoutMs, scope: session.scope });
    const pool = this.#pool;
    onPool(pool);
    const schema = schemaFragment(pool, this.#needed(session.schema));
    if (session.scope === "connection") return work(pool, schema);
    return runInTransaction(pool, statementTimeoutMs, (sql) => work(sql as unknown as Sql, schema));
  }

  /** Queried once, and again if there was no answer or no schema. */
  #findSession(): Promise<Session> {
    if (this.#session !== undefined) return this.#session;
    const finding = findSession(this.#connection, this.#statementTimeoutMs);
    this.#session = finding;
    const forget = () => {
      if (this.#session === finding) this.#session = undefined;
    };
    finding.then(({ schema }) => schema ?? forget(), forget);
    return finding;
  }

  #lateError(cause: unknown, deadlineMs = this.#deadlineMs): InstantError {
    const detail = `${this.address}: no answer within ${deadlineMs} ms`;
    return new InstantError(coreErrors.postgresUnavailable, { detail, cause });
  }

  #needed(schema: string | undefined): string {
    if (schema !== undefined) return schema;
    const detail = `${this.address}: the role's search_path names no existing schema: set DB_SCHEMA`;
    throw new InstantError(coreErrors.postgresFailed, { detail });
  }

  #discard(used: Sql | undefined): void {
    if (used === undefined || this.#pool !== used) return;
    this.#pool = undefined;
    const ending = endPool(used, this.#deadlineMs / 1000);
    this.#endings.add(ending);
    void ending.finally(() => this.#endings.delete(ending));
  }
}

/** Ends statements in flight after `timeoutSeconds`; never rejects. */
async function endPool(sql: Sql, timeoutSeconds: number): Promise<void> {
  await withDeadline("closing", timeoutSeconds * 1000 + 1000, sql.end({ timeout: timeoutSeconds }))
    // A connection that does not close is left to the operating system.
    .catch(() => {});
}

/**
 * For a module that can start while Postgres is unavailable: creates its tables now, or before the
 * first use once Postgres is back. Resolves to a function that every use awaits first. Throws
 * errors that a retry would not fix.
 */
export async function migrateLater(
  database: Pick<PostgresDatabase, "migrate">,
  module: string,
  steps: readonly string[],
): Promise<() => Promise<void>> {
  let migrating: Promise<void> | undefined;
  const migrated = () => {
    migrating ??= database.migrate(module, steps).catch((error: unknown) => {
      migrating = undefined;
      throw error;
    });
    return migrating;
  };
  try {
    await migrated();
  } catch (error) {
    if (!isInstantError(error) || !error.retryable) throw error;
  }
  return migrated;
}
