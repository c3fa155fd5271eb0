import { Database } from "bun:sqlite";
import { existsSync } from "node:fs";
import type { Diagnosis } from "../diagnosis.ts";
import { errorMessage } from "../errors.ts";
import { isBusy } from "./errors.ts";

const busyTimeoutMs = 500;

/** Opens a file of ours for reading only and asks SQLite whether it is one. Creates nothing. */
export function diagnoseSqlite(path: string, diagnosis: Diagnosis): void {
  if (!existsSync(path)) return; // the first start makes it
  try {
    using database = new Database(path, { readonly: true });
    database.run(`PRAGMA busy_timeout = ${busyTimeoutMs}`);
    database.query("SELECT count(*) FROM sqlite_schema").get();
  } catch (error) {
    if (isBusy(error)) {
      const mend = "See who holds it: fuser or lsof on the file";
      diagnosis.warn("sqlite.locked", `${path} is locked by another process`, mend);
      return;
    }
    const mend = `Restore it from a backup, or move it away to begin anew: mv ${path} ${path}.broken`;
    diagnosis.fault("sqlite.readable", `${path} cannot be read (${errorMessage(error)})`, mend);
  }
}
