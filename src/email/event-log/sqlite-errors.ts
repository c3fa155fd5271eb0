import type { Database } from "bun:sqlite";
import { coreErrors } from "../../core/error-codes.ts";
import { errorMessage, InstantError, isInstantError } from "../../core/errors.ts";
import type { SqliteDatabase } from "../../core/sqlite/database.ts";
import { eventLogErrors } from "./error-codes.ts";

const unavailable = new Set<unknown>([
  coreErrors.sqliteBusy,
  coreErrors.sqliteFailed,
  coreErrors.deadlineExceeded,
]);

/** The error of the port: whatever the file does wrong is `log_unavailable`. */
export function toEventLogError(error: unknown): unknown {
  const isOurs = error instanceof InstantError && unavailable.has(error.row);
  if (!isOurs) return error;
  return new InstantError(eventLogErrors.logUnavailable, {
    detail: errorMessage(error),
    cause: error,
  });
}

/** Whether another process merely keeps the file locked: the next try may succeed. */
export function isLocked(error: unknown): boolean {
  return isInstantError(error, coreErrors.sqliteBusy);
}

/** Reads, with the errors of the port. */
export function readLog<T>(database: SqliteDatabase, query: (file: Database) => T): T {
  try {
    return database.read(query);
  } catch (error) {
    throw toEventLogError(error);
  }
}
