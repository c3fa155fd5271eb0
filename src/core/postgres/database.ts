import { withDeadline } from "../deadline.ts";
import { coreErrors } from "../error-codes.ts";
import { InstantError, isInstantError } from "../errors.ts";
import { classifyPostgresError } from "./errors.ts";
import { migrateRoom } from "./migrate.ts";
import type { PostgresOptions, Sql, SqlTransaction } from "./pool.ts";
import { addressOf, connect } from "./pool.ts";

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

/**
 * Open: calls run on the current pool. A call that passed the deadline discards the pool it ran on,
 * once, because its connections may lead nowhere; the next call gets a new one. Closed: calls
 * throw `postgres_unavailable`.
 */
export function openPostgres(options: PostgresOptions): PostgresDatabase {
  const address = addressOf(options);
  const deadlineMs = options.deadlineMs ?? 2_000;
  const endings = new Set<Promise<void>>();
  let pool: Sql | undefined;
  let closing: Promise<void> | undefined;

  async function run<T>(work: (sql: Sql) => Promise<T>, callDeadlineMs: number): Promise<T> {
    if (closing !== undefined) {
      throw new InstantError(coreErrors.postgresUnavailable, { detail: `${address}: closed` });
    }
    pool ??= connect(options, { statementTimeoutMs: deadlineMs * 0.75, connectionsMax: 10 });
    const used = pool;
    try {
      return await withDeadline("statement", callDeadlineMs, work(used));
    } catch (error) {
      if (!isInstantError(error, coreErrors.deadlineExceeded)) {
        throw classifyPostgresError(error, options);
      }
      discard(used);
      const detail = `${address}: nothing within ${callDeadlineMs} ms`;
      throw new InstantError(coreErrors.postgresUnavailable, { detail, cause: error });
    }
  }

  function discard(used: Sql): void {
    if (pool !== used) return;
    pool = undefined;
    const ending = endPool(used, deadlineMs / 1000);
    endings.add(ending);
    void ending.finally(() => endings.delete(ending));
  }

  const opened: PostgresDatabase = {
    address,
    query: (statement) => run(statement, deadlineMs),
    transaction: (work) =>
      run(async (sql) => (await sql.begin(work)) as Awaited<ReturnType<typeof work>>, deadlineMs),
    migrate: (room, steps) => migrateRoom(options, room, steps),
    ping: async (ping) => {
      await run((sql) => sql`SELECT 1`, ping.deadlineMs);
    },
    close: () => {
      closing ??= (async () => {
        if (pool !== undefined) await endPool(pool, 5);
        await Promise.all(endings);
      })();
      return closing;
    },
    [Symbol.asyncDispose]: () => opened.close(),
  };
  return opened;
}

/** Ends statements in flight after `timeoutSeconds`; never rejects: nobody waits for its result. */
async function endPool(sql: Sql, timeoutSeconds: number): Promise<void> {
  await withDeadline("closing", timeoutSeconds * 1000 + 1000, sql.end({ timeout: timeoutSeconds }))
    // A connection that does not even close is left to the operating system.
    .catch(() => {});
}
