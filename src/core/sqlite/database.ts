import { Database, SQLiteError } from "bun:sqlite";
import { chmodSync, closeSync, existsSync, mkdirSync, openSync } from "node:fs";
import { dirname } from "node:path";
import type { Diagnosis } from "../diagnosis.ts";
import { coreErrors, errorMessage, InstantError } from "../errors.ts";
import { systemClock } from "../time.ts";

/** Whether another connection has the lock (SQLITE_BUSY 5, SQLITE_LOCKED 6, and extended codes). */
function isBusy(error: unknown): boolean {
  if (!(error instanceof SQLiteError)) return false;
  const primary = error.errno & 0xff;
  return primary === 5 || primary === 6;
}

/** Whether a unique or primary key was violated (SQLITE_CONSTRAINT_UNIQUE, _PRIMARYKEY). */
function isUniqueViolation(error: unknown): boolean {
  return error instanceof SQLiteError && (error.errno === 2067 || error.errno === 1555);
}

/**
 * SQLite's error → ours, `sqlite_busy` or `sqlite_failed`. A violated key is an expected result and
 * is returned unchanged, like any error that is not SQLite's.
 */
function classifySqliteError(error: unknown): unknown {
  const isFailure = error instanceof SQLiteError && !isUniqueViolation(error);
  return isFailure ? sqliteFailure(error, errorMessage(error)) : error;
}

function sqliteFailure(cause: unknown, detail: string): InstantError {
  const row = isBusy(cause) ? coreErrors.sqliteBusy : coreErrors.sqliteFailed;
  return new InstantError(row, { detail, cause });
}

const jobsPerTransactionMax = 500;
/** How long to wait for a locked file. */
const busyDeadlineMs = 10_000;

interface Job {
  readonly run: (database: Database) => unknown;
  readonly settle: (result: JobResult) => void;
}

type JobResult = { ok: true; value: unknown } | { ok: false; error: unknown };

/**
 * Group commit: jobs that are queued together share one immediate transaction and one fsync.
 *
 * Idle: the queue is empty. Scheduled: a job has arrived; a flush runs in this turn of the event
 * loop. Flushing: up to 500 jobs are in the transaction; later ones wait for the next. When a job
 * throws, all are rolled back and run again, each in its own savepoint. When the file is locked,
 * the whole group is retried some milliseconds later, until the busy deadline; then all its jobs
 * reject with `sqlite_busy`. Closed: the queue is drained, pushes reject.
 */
class WriteQueue {
  readonly #database: Database;
  #waiting: Job[] = [];
  #flushing: Promise<void> | undefined;
  #closed = false;

  constructor(database: Database) {
    this.#database = database;
  }

  push<T>(run: (database: Database) => T): Promise<T> {
    return new Promise<T>((resolve, reject) => {
      if (this.#closed) {
        reject(new InstantError(coreErrors.sqliteFailed, { detail: "the file was closed" }));
        return;
      }
      this.#waiting.push({
        run,
        settle: (result) => {
          if (result.ok) resolve(result.value as T);
          else reject(result.error);
        },
      });
      this.#flushing ??= this.#flush();
    });
  }

  async close(): Promise<void> {
    this.#closed = true;
    await this.#flushing;
  }

  async #flush(): Promise<void> {
    await Promise.resolve(); // lets other callers of this turn join
    while (this.#waiting.length > 0) {
      const group = this.#waiting.splice(0, jobsPerTransactionMax);
      const results = await this.#commitGroup(group);
      group.forEach((job, index) => {
        job.settle(results[index] ?? { ok: false, error: new Error("a write job has no result") });
      });
      await new Promise((resolve) => setImmediate(resolve));
    }
    this.#flushing = undefined;
  }

  async #commitGroup(group: readonly Job[]): Promise<JobResult[]> {
    const givenUpAt = Date.now() + busyDeadlineMs;
    for (;;) {
      try {
        return this.#runGroup(group);
      } catch (error) {
        if (!isBusy(error) || Date.now() > givenUpAt) {
          const failure = sqliteFailure(error, errorMessage(error));
          return group.map(() => ({ ok: false, error: failure }));
        }
        await systemClock.sleep(5 + Math.random() * 20);
      }
    }
  }

  /** Savepoints cost as much as a small job, so they come only after a job has thrown. */
  #runGroup(group: readonly Job[]): JobResult[] {
    try {
      return this.#runTransaction(() =>
        group.map((job) => ({ ok: true, value: job.run(this.#database) })),
      );
    } catch (error) {
      if (isBusy(error)) throw error;
      return this.#runTransaction(() => group.map((job) => this.#runAlone(job)));
    }
  }

  #runTransaction(work: () => JobResult[]): JobResult[] {
    this.#database.run("BEGIN IMMEDIATE");
    try {
      const results = work();
      this.#database.run("COMMIT");
      return results;
    } catch (error) {
      if (this.#database.inTransaction) this.#database.run("ROLLBACK");
      throw error;
    }
  }

  #runAlone(job: Job): JobResult {
    this.#database.run("SAVEPOINT job");
    try {
      const value = job.run(this.#database);
      this.#database.run("RELEASE job");
      return { ok: true, value };
    } catch (error) {
      if (isBusy(error)) throw error;
      this.#database.run("ROLLBACK TO job");
      this.#database.run("RELEASE job");
      return { ok: false, error: classifySqliteError(error) };
    }
  }
}

const busyTimeoutMs = 250;
/** Pages of 4 KiB. With SQLite's 1,000, a busy file would be checkpointed four times as often. */
const walPagesMax = 4_000;

export interface SqliteDatabase extends AsyncDisposable {
  readonly path: string;
  /**
   * Runs `query` now, outside a transaction; several statements may see different states. Throws
   * `sqlite_busy` or `sqlite_failed`.
   */
  read<T>(query: (database: Database) => T): T;
  /**
   * Runs `job` in an immediate transaction and resolves once it is committed. Jobs run in the order
   * of the calls, and those that wait at the same time share a transaction; one that throws is
   * rolled back and rejected alone. `job` must be synchronous, and may run again when another job
   * of its transaction has thrown or the file was locked. Throws `sqlite_busy` when another process
   * keeps the file locked for 10 s, `sqlite_failed` when the file cannot be used; a violated key
   * unchanged.
   */
  write<T>(job: (database: Database) => T): Promise<T>;
  /**
   * Migrates the tables of one module to the last of `steps`, each run once and in order, under the
   * file's write lock, so that processes may start together.
   */
  migrate(module: string, steps: readonly string[]): Promise<void>;
  /** Waits for queued jobs, then closes. Idempotent. */
  close(): Promise<void>;
}

/**
 * Opens a SQLite file that several processes may share, or creates it (mode 0600, its directory 0700):
 * write-ahead log, immediate transactions, a busy timeout of 250 ms with asynchronous retries.
 * `durability`: what a committed job survives. After a power loss `process_end` may have lost the last
 * jobs; the file is intact.
 */
export async function openSqlite(
  path: string,
  { durability = "power_loss" }: { readonly durability?: "power_loss" | "process_end" } = {},
): Promise<SqliteDatabase> {
  const database = await openFile(path, durability === "power_loss" ? "FULL" : "NORMAL");
  const queue = new WriteQueue(database);
  let closing: Promise<void> | undefined;
  const opened: SqliteDatabase = {
    path,
    read: (query) => {
      try {
        return query(database);
      } catch (error) {
        throw classifySqliteError(error);
      }
    },
    write: (job) => queue.push(job),
    migrate: (module, steps) => queue.push((db) => migrateModule(db, module, steps)),
    close: () => {
      closing ??= queue.close().finally(() => database.close());
      return closing;
    },
    [Symbol.asyncDispose]: () => opened.close(),
  };
  return opened;
}

async function openFile(path: string, synchronous: "FULL" | "NORMAL"): Promise<Database> {
  try {
    mkdirSync(dirname(path), { recursive: true, mode: 0o700 });
    closeSync(openSync(path, "a", 0o600));
    chmodSync(path, 0o600);
  } catch (error) {
    throw sqliteFailure(error, `${path}: ${errorMessage(error)}`);
  }
  const givenUpAt = Date.now() + busyDeadlineMs;
  for (;;) {
    const database = new Database(path);
    try {
      database.run(`PRAGMA busy_timeout = ${busyTimeoutMs}`);
      database.run("PRAGMA journal_mode = WAL");
      database.run(`PRAGMA synchronous = ${synchronous}`);
      database.run(`PRAGMA wal_autocheckpoint = ${walPagesMax}`);
      database.run("PRAGMA foreign_keys = ON");
      return database;
    } catch (error) {
      database.close();
      if (!isBusy(error) || Date.now() > givenUpAt) {
        throw sqliteFailure(error, `${path}: ${errorMessage(error)}`);
      }
      await systemClock.sleep(20 + Math.random() * 30);
    }
  }
}

function migrateModule(database: Database, module: string, steps: readonly string[]): void {
  database.run(
    "CREATE TABLE IF NOT EXISTS schema_versions (module TEXT PRIMARY KEY, version INTEGER NOT NULL) STRICT",
  );
  const columns = database.query<{ name: string }, []>("PRAGMA table_info(schema_versions)").all();
  // Release 0.1 called the column "room".
  if (columns.some(({ name }) => name === "room")) {
    database.run("ALTER TABLE schema_versions RENAME COLUMN room TO module");
  }
  const row = database
    .query<{ version: number }, [string]>("SELECT version FROM schema_versions WHERE module = ?")
    .get(module);
  const version = row?.version ?? 0;
  if (version > steps.length) {
    throw new InstantError(coreErrors.sqliteFailed, {
      detail: `${module} is at schema ${version}, written by a newer instant (this one knows ${steps.length})`,
    });
  }
  for (const step of steps.slice(version)) database.run(step);
  database.run(
    "INSERT INTO schema_versions VALUES (?, ?) ON CONFLICT (module) DO UPDATE SET version = excluded.version",
    [module, steps.length],
  );
}

const readTimeoutMs = 500;

/** Checks that SQLite can read the file. Creates nothing. */
export function diagnoseSqlite(path: string, diagnosis: Diagnosis): void {
  if (!existsSync(path)) return; // the first start creates it
  try {
    using database = new Database(path, { readonly: true });
    database.run(`PRAGMA busy_timeout = ${readTimeoutMs}`);
    database.query("SELECT count(*) FROM sqlite_schema").get();
  } catch (error) {
    if (isBusy(error)) {
      const fix = "Find out which: fuser or lsof on the file";
      diagnosis.warn("sqlite.locked", `${path} is locked by another process`, fix);
      return;
    }
    const fix = `Restore a backup, or start over without it: mv ${path} ${path}.broken`;
    diagnosis.fault("sqlite.readable", `${path} cannot be read (${errorMessage(error)})`, fix);
  }
}
