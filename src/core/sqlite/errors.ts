import { SQLiteError } from "bun:sqlite";

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
