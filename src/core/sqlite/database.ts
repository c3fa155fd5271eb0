import { Database, SQLiteError } from "bun:sqlite";
import { chmodSync, closeSync, existsSync, mkdirSync, openSync } from "node:fs";
import { dirname } from "node:path";
import type { Diagnosis } from "../diagnosis.ts";
import { coreErrors, errorMessage, InstantError } from "../errors.ts";
import { systemClock } from "../time.ts";

/** Whether another connection holds the lock (SQLITE_BUSY 5, SQLITE_LOCKED 6, and extended codes). */
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
 * What the file did wrong, as ours: `sqlite_busy` or `sqlite_failed`. A violated key is an answer
 * and stays as it is, like everything that is not SQLite's.
 */
function classifySqliteError(error: unknown): unknown {
  if (!(error instanceof SQLiteError) || isUniqueViolation(error)) return error;
  const row = isBusy(error) ? coreErrors.sqliteBusy : coreErrors.sqliteFailed;
  return new InstantError(row, { detail: errorMessage(error), cause: error });
}

const jobsPerTransactionMax = 500;

interface Job {
  readonly run: (database: Database) => unknown;
  readonly settle: (result: JobResult) => void;
}

type JobResult = { ok: true; value: unknown } | { ok: false; error: unknown };

/**
 * Group commit: jobs that wait together share one immediate transaction and one fsync.
 *
 * Idle: nothing waits. Scheduled: a job came; a flush runs in this turn of the event loop.
 * Flushing: up to 500 jobs are in the transaction; later jobs wait for the next one. When one of
 * them throws, all are undone and run again, each in a savepoint of its own. A locked file
 * sends the whole group back to wait some milliseconds, up to the busy deadline, then all of its
 * jobs reject with `sqlite_busy`. Closed: the queue is drained, pushes reject.
 */
class WriteQueue {
  readonly #database: Database;
  readonly #busyDeadlineMs: number;
  #waiting: Job[] = [];
  #flushing: Promise<void> | undefined;
  #closed = false;

  constructor(database: Database, options: { readonly busyDeadlineMs: number }) {
    this.#database = database;
    this.#busyDeadlineMs = options.busyDeadlineMs;
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
    await Promise.resolve(); // let the callers of this turn join
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
    const givenUpAt = Date.now() + this.#busyDeadlineMs;
    for (;;) {
      try {
        return this.#runGroup(group);
      } catch (error) {
        const failure = classify(error, Date.now() > givenUpAt);
        if (failure !== undefined) return group.map(() => ({ ok: false, error: failure }));
        await systemClock.sleep(5 + Math.random() * 20);
      }
    }
  }

  /** Savepoints cost as much as a small job: only a group with a job that throws has them. */
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

/** Undefined: wait and run the group again. */
function classify(error: unknown, late: boolean): InstantError | undefined {
  if (isBusy(error)) {
    return late ? new InstantError(coreErrors.sqliteBusy, { cause: error }) : undefined;
  }
  return new InstantError(coreErrors.sqliteFailed, { detail: errorMessage(error), cause: error });
}

const busyTimeoutMs = 250;
const busyDeadlineMs = 10_000;
/** Of 4 KiB; at SQLite's 1,000 a busy file is copied over four times as often. */
const walPagesMax = 4_000;

export interface SqliteDatabase extends AsyncDisposable {
  readonly path: string;
  /**
   * Runs `query` now, outside a transaction; several statements may see different states. Throws
   * `sqlite_busy` or `sqlite_failed`.
   */
  read<T>(query: (database: Database) => T): T;
  /**
   * Runs `job` in an immediate transaction and resolves once it is committed.
   * Jobs that wait at the same time share one transaction; one that throws is undone alone and
   * rejects alone. Jobs run in the order of the calls. `job` must be synchronous and may run again,
   * when another of the transaction threw or the commit met a locked file.
   * Throws `sqlite_busy` when another process keeps the file locked for 10 s, `sqlite_failed` when
   * the file cannot be used; a violated key as it is.
   */
  write<T>(job: (database: Database) => T): Promise<T>;
  /**
   * Brings the tables of one room to the last of `steps`, each run once and in order, under the
   * file's write lock, so that processes may start together.
   */
  migrate(module: string, steps: readonly string[]): Promise<void>;
  /** Waits for what was written, then closes. Idempotent. */
  close(): Promise<void>;
}

interface SqliteOptions {
  /**
   * What a committed job outlives: always the end of this process, and (the default) that of the
   * machine too. Without it the last jobs may be gone after a power loss; the file is whole.
   */
  readonly durability?: "power_loss" | "process_end";
}

/**
 * Opens (and creates, mode 0600, its folder 0700) a SQLite file that several processes may share:
 * write-ahead log, immediate transactions, a busy timeout of 250 ms with asynchronous retries.
 */
export async function openSqlite(
  path: string,
  { durability = "power_loss" }: SqliteOptions = {},
): Promise<SqliteDatabase> {
  const database = await openFile(path, durability === "power_loss" ? "FULL" : "NORMAL");
  const queue = new WriteQueue(database, { busyDeadlineMs });
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
    throw new InstantError(coreErrors.sqliteFailed, {
      detail: `${path}: ${errorMessage(error)}`,
      cause: error,
    });
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
      if (!isBusy(error)) {
        throw new InstantError(coreErrors.sqliteFailed, {
          detail: `${path}: ${errorMessage(error)}`,
          cause: error,
        });
      }
      if (Date.now() > givenUpAt) {
        throw new InstantError(coreErrors.sqliteBusy, { detail: path, cause: error });
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

/** Opens a file of ours for reading only and asks SQLite whether it is one. Creates nothing. */
export function diagnoseSqlite(path: string, diagnosis: Diagnosis): void {
  if (!existsSync(path)) return; // the first start makes it
  try {
    using database = new Database(path, { readonly: true });
    database.run(`PRAGMA busy_timeout = ${readTimeoutMs}`);
    database.query("SELECT count(*) FROM sqlite_schema").get();
  } catch (error) {
    if (isBusy(error)) {
      const fix = "See who holds it: fuser or lsof on the file";
      diagnosis.warn("sqlite.locked", `${path} is locked by another process`, fix);
      return;
    }
    const fix = `Restore it from a backup, or move it away to begin anew: mv ${path} ${path}.broken`;
    diagnosis.fault("sqlite.readable", `${path} cannot be read (${errorMessage(error)})`, fix);
  }
}
