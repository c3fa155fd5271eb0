import { Database } from "bun:sqlite";
import { chmodSync, closeSync, mkdirSync, openSync } from "node:fs";
import { dirname } from "node:path";
import { systemClock } from "../clock.ts";
import { coreErrors } from "../error-codes.ts";
import { errorMessage, InstantError } from "../errors.ts";
import { classifySqliteError, isBusy } from "./errors.ts";
import { WriteQueue } from "./write-queue.ts";

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
  migrate(room: string, steps: readonly string[]): Promise<void>;
  /** Waits for what was written, then closes. Idempotent. */
  close(): Promise<void>;
}

export interface SqliteOptions {
  /**
   * What a committed job outlives: always the end of this process, and (the default) that of the
   * machine too. Without it the last jobs may be gone after a power loss; the file is whole.
   */
  readonly keeps?: "power_loss" | "process_end";
}

/**
 * Opens (and creates, mode 0600, its folder 0700) a SQLite file that several processes may share:
 * write-ahead log, immediate transactions, a busy timeout of 250 ms with asynchronous retries.
 */
export async function openSqlite(
  path: string,
  { keeps = "power_loss" }: SqliteOptions = {},
): Promise<SqliteDatabase> {
  const database = await openFile(path, keeps === "power_loss" ? "FULL" : "NORMAL");
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
    migrate: (room, steps) => queue.push((db) => migrateRoom(db, room, steps)),
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

function migrateRoom(database: Database, room: string, steps: readonly string[]): void {
  database.run(
    "CREATE TABLE IF NOT EXISTS schema_versions (room TEXT PRIMARY KEY, version INTEGER NOT NULL) STRICT",
  );
  const row = database
    .query<{ version: number }, [string]>("SELECT version FROM schema_versions WHERE room = ?")
    .get(room);
  const version = row?.version ?? 0;
  if (version > steps.length) {
    throw new InstantError(coreErrors.sqliteFailed, {
      detail: `${room} is at schema ${version}, written by a newer instant (this one knows ${steps.length})`,
    });
  }
  for (const step of steps.slice(version)) database.run(step);
  database.run(
    "INSERT INTO schema_versions VALUES (?, ?) ON CONFLICT (room) DO UPDATE SET version = excluded.version",
    [room, steps.length],
  );
}
