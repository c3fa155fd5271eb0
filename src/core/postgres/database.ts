import { withDeadline } from "../deadline.ts";
import { coreErrors } from "../error-codes.ts";
import { InstantError, isInstantError } from "../errors.ts";
import { classifyPostgresError, isStandby } from "./errors.ts";
import { migrateRoom } from "./migrate.ts";
import type { PostgresOptions, SettingScope, Sql, SqlTransaction } from "./pool.ts";
import {
  addressOf,
  connect,
  findSettingScope,
  isLostPreparedStatement,
  runInTransaction,
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
  query<T>(statement: (sql: Sql) => Promise<T>): Promise<T>;
  /** All of `work` or nothing of it. A connection that stays idle inside is ended by the server. */
  transaction<T>(work: (sql: SqlTransaction) => Promise<T>): Promise<T>;
  /**
   * Brings the tables of one room to the last of `steps`, each run once and in order, under a lock
   * of the whole schema, so that processes may start together. May take a minute, not 2 s.
   */
  migrate(room: string, steps: readonly string[]): Promise<void>;
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
      calls.run(async (sql) => {
        if (!("begin" in sql)) return work(sql); // it is in one
        return (await sql.begin(work)) as Awaited<ReturnType<typeof work>>;
      }, deadlineMs),
    migrate: (room, steps) => migrateRoom(options, room, steps),
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
 * The first call asks where settings hold (see `SettingScope`); a prepared statement that got lost
 * shows a pooler that answered this as a server would, and the call is made once more.
 */
class Calls {
  readonly #options: PostgresOptions;
  readonly #deadlineMs: number;
  readonly #statementTimeoutMs: number;
  readonly #endings = new Set<Promise<void>>();
  #pool: Sql | undefined;
  #scope: Promise<SettingScope> | undefined;
  #closing: Promise<void> | undefined;

  constructor(options: PostgresOptions, deadlineMs: number) {
    this.#options = options;
    this.#deadlineMs = deadlineMs;
    this.#statementTimeoutMs = deadlineMs * 0.75;
  }

  async run<T>(work: (sql: Sql) => Promise<T>, callDeadlineMs: number): Promise<T> {
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
      return await attempt().catch((error: unknown) => {
        if (!isLostPreparedStatement(error)) throw error;
        this.#scope = Promise.resolve("transaction");
        this.#discard(used);
        return attempt();
      });
    } catch (error) {
      const isLate = isInstantError(error, coreErrors.deadlineExceeded);
      if (isLate || isStandby(error)) this.#discard(used);
      if (!isLate) throw classifyPostgresError(error, this.#options);
      const detail = `${address}: nothing within ${callDeadlineMs} ms`;
      throw new InstantError(coreErrors.postgresUnavailable, { detail, cause: error });
    }
  }

  close(): Promise<void> {
    this.#closing ??= (async () => {
      if (this.#pool !== undefined) await endPool(this.#pool, 5);
      await Promise.all(this.#endings);
    })();
    return this.#closing;
  }

  async #attempt<T>(work: (sql: Sql) => Promise<T>, onPool: (pool: Sql) => void): Promise<T> {
    const [options, statementTimeoutMs] = [this.#options, this.#statementTimeoutMs];
    this.#scope ??= this.#findScope();
    const scope = await this.#scope;
    this.#pool ??= connect(options, { statementTimeoutMs, scope });
    const pool = this.#pool;
    onPool(pool);
    if (scope === "connection") return work(pool);
    return runInTransaction(pool, options, statementTimeoutMs, (sql) =>
      work(sql as unknown as Sql),
    );
  }

  /** Asked once; again when nobody answered. */
  #findScope(): Promise<SettingScope> {
    const finding = findSettingScope(this.#options, this.#statementTimeoutMs);
    finding.catch(() => {
      if (this.#scope === finding) this.#scope = undefined;
    });
    return finding;
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
