import { coreErrors, InstantError, isInstantError } from "../errors.ts";
import { withDeadline } from "../time.ts";
import { classifyPostgresError, isStandby } from "./errors.ts";
import type { SchemaModule } from "./migrate.ts";
import { migrateModule } from "./migrate.ts";
import type { PostgresOptions, SchemaName, Session, Sql, SqlTransaction } from "./pool.ts";
import {
  addressOf,
  connect,
  findSession,
  findStalePrepared,
  runInTransaction,
  schemaFragment,
} from "./pool.ts";

/**
 * A pool of at most 10 connections, opened when first needed, so that opening never fails.
 *
 * Every call ends within the deadline (2 s): a statement is ended by the server a quarter earlier
 * (`statement_timeout`), and one that hangs because the server is frozen or out of reach is given
 * up here. Throws `postgres_unavailable` (try again) or `postgres_failed` (something is to mend);
 * a unique violation is thrown as it came, for `uniqueViolation`.
 */
export interface PostgresDatabase extends AsyncDisposable {
  /** For people: "localhost:5432/instant". */
  readonly address: string;
  /** Tables are named with their schema: `${schema}.auth_users`. */
  query<T>(statement: (sql: Sql, schema: SchemaName) => Promise<T>): Promise<T>;
  /** All of `work` or nothing of it. A connection that stays idle inside is ended by the server. */
  transaction<T>(work: (sql: SqlTransaction, schema: SchemaName) => Promise<T>): Promise<T>;
  /**
   * Brings the tables of one room to the last of `steps` (see `SchemaRoom`), each run once and in
   * order, under a lock, so that processes may start together. May take a minute, not 2 s.
   */
  migrate(module: string, steps: readonly string[]): Promise<void>;
  ping(options: { readonly deadlineMs: number }): Promise<void>;
  /** Lets statements in flight finish for 5 s. Idempotent. */
  close(): Promise<void>;
}

export function openPostgres(options: PostgresOptions): PostgresDatabase {
  const deadlineMs = options.deadlineMs ?? 2_000;
  const calls = new Calls(options, deadlineMs);
  const opened: PostgresDatabase = {
    address: addressOf(options),
    query: (statement) => calls.run(statement, deadlineMs),
    transaction: (work) =>
      calls.run(async (sql, schema) => {
        if (!("begin" in sql)) return work(sql, schema); // it is in one
        const begun = sql.begin((transaction) => work(transaction, schema));
        return (await begun) as Awaited<ReturnType<typeof work>>;
      }, deadlineMs),
    migrate: (module, steps) => calls.migrate({ module, steps }),
    ping: async (ping) => {
      await calls.run((sql) => sql`SELECT 1`, ping.deadlineMs);
    },
    close: () => calls.close(),
    [Symbol.asyncDispose]: () => calls.close(),
  };
  return opened;
}

/**
 * Open: calls run on the current pool. A call that passed the deadline discards the pool it ran on,
 * once, because its connections may lead nowhere, and so does one that met a standby; the next call
 * gets a new one. Closed: calls throw `postgres_unavailable`.
 *
 * The first call asks what holds for all (see `Session`). A prepared statement that got lost shows a
 * pooler that answered this as a server would: the call is made once more, unprepared from then on.
 * One whose table was changed is made once more as well, on new connections. (postgres.js itself
 * repeats neither: see patches/.)
 */
class Calls {
  readonly #options: PostgresOptions;
  readonly #deadlineMs: number;
  readonly #statementTimeoutMs: number;
  readonly #endings = new Set<Promise<void>>();
  #pool: Sql | undefined;
  #session: Promise<Session> | undefined;
  #closing: Promise<void> | undefined;

  constructor(options: PostgresOptions, deadlineMs: number) {
    this.#options = options;
    this.#deadlineMs = deadlineMs;
    this.#statementTimeoutMs = deadlineMs * 0.75;
  }

  async run<T>(
    work: (sql: Sql, schema: SchemaName) => Promise<T>,
    callDeadlineMs: number,
  ): Promise<T> {
    const address = addressOf(this.#options);
    if (this.#closing !== undefined) {
      throw new InstantError(coreErrors.postgresUnavailable, { detail: `${address}: closed` });
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
      if (!isLate) throw classifyPostgresError(error, this.#options);
      throw this.#lateError(error, callDeadlineMs);
    }
  }

  async migrate(module: SchemaModule): Promise<void> {
    try {
      const { schema } = await withDeadline("migrating", this.#deadlineMs, this.#findSession());
      await migrateModule(this.#options, this.#needed(schema), module);
    } catch (error) {
      if (isInstantError(error, coreErrors.deadlineExceeded)) throw this.#lateError(error);
      throw classifyPostgresError(error, this.#options);
    }
  }

  close(): Promise<void> {
    this.#closing ??= (async () => {
      if (this.#pool !== undefined) await endPool(this.#pool, 5);
      await Promise.all(this.#endings);
    })();
    return this.#closing;
  }

  async #attempt<T>(
    work: (sql: Sql, schema: SchemaName) => Promise<T>,
    onPool: (pool: Sql) => void,
  ): Promise<T> {
    const statementTimeoutMs = this.#statementTimeoutMs;
    const session = await this.#findSession();
    this.#pool ??= connect(this.#options, { statementTimeoutMs, scope: session.scope });
    const pool = this.#pool;
    onPool(pool);
    const schema = schemaFragment(pool, this.#needed(session.schema));
    if (session.scope === "connection") return work(pool, schema);
    return runInTransaction(pool, statementTimeoutMs, (sql) => work(sql as unknown as Sql, schema));
  }

  /** Asked once; again when nobody answered, or there was no schema. */
  #findSession(): Promise<Session> {
    if (this.#session !== undefined) return this.#session;
    const finding = findSession(this.#options, this.#statementTimeoutMs);
    this.#session = finding;
    const forget = () => {
      if (this.#session === finding) this.#session = undefined;
    };
    finding.then(({ schema }) => schema ?? forget(), forget);
    return finding;
  }

  #lateError(cause: unknown, deadlineMs = this.#deadlineMs): InstantError {
    const detail = `${addressOf(this.#options)}: nothing within ${deadlineMs} ms`;
    return new InstantError(coreErrors.postgresUnavailable, { detail, cause });
  }

  #needed(schema: string | undefined): string {
    if (schema !== undefined) return schema;
    const detail = `${addressOf(this.#options)}: the role's search_path leads to no schema: set DB_SCHEMA`;
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

/** Ends statements in flight after `timeoutSeconds`; never rejects: nobody waits for its result. */
async function endPool(sql: Sql, timeoutSeconds: number): Promise<void> {
  await withDeadline("closing", timeoutSeconds * 1000 + 1000, sql.end({ timeout: timeoutSeconds }))
    // A connection that does not even close is left to the operating system.
    .catch(() => {});
}

/**
 * For a room whose callers can do without Postgres for a while: its tables are made now or, when
 * Postgres is away now, before the first use after it came back. Resolves to what every use awaits
 * first. Throws what trying again would not mend.
 */
export async function migrateLater(
  database: PostgresDatabase,
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
