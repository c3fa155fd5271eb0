import { SQLiteError } from "bun:sqlite";
import { coreErrors } from "../error-codes.ts";
import { errorMessage, InstantError } from "../errors.ts";

/** Whether another connection holds the lock (SQLITE_BUSY 5, SQLITE_LOCKED 6, and extended codes). */
export function isBusy(error: unknown): boolean {
  if (!(error instanceof SQLiteError)) return false;
  const primary = error.errno & 0xff;
  return primary === 5 || primary === 6;
}

/** Whether a unique or primary key was violated (SQLITE_CONSTRAINT_UNIQUE, _PRIMARYKEY). */
export function isUniqueViolation(error: unknown): boolean {
  return error instanceof SQLiteError && (error.errno === 2067 || error.errno === 1555);
}

/**
 * What the file did wrong, as ours: `sqlite_busy` or `sqlite_failed`. A violated key is an answer
 * and stays as it is, like everything that is not SQLite's.
 */
export function classifySqliteError(error: unknown): unknown {
  if (!(error instanceof SQLiteError) || isUniqueViolation(error)) return error;
  const row = isBusy(error) ? coreErrors.sqliteBusy : coreErrors.sqliteFailed;
  return new InstantError(row, { detail: errorMessage(error), cause: error });
}
