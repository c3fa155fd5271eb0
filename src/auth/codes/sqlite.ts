import type { Database } from "bun:sqlite";
import type { SqliteDatabase } from "../../core/sqlite/database.ts";
import type { Clock } from "../../core/time.ts";
import { systemClock } from "../../core/time.ts";
import { subjectOf } from "../auth-deps.ts";
import { applyRule, codeCalls } from "./code-rules.ts";
import type { CodePolicy, CodeStore } from "./code-store.ts";

const migrations = [
  `CREATE TABLE auth_codes (
    subject TEXT PRIMARY KEY,
    state TEXT NOT NULL,
    ends_at INTEGER NOT NULL
  ) STRICT;
  CREATE INDEX auth_codes_ends_at ON auth_codes (ends_at);`,
];

/** Expired rows deleted with each change: more than one, so that the file does not grow. */
const sweptMax = 10;

interface SqliteCodeStoreOptions {
  readonly policy: CodePolicy;
  readonly clock?: Clock;
}

/** Codes in a SQLite file; each call is one transaction. Does not close the file. */
export async function openSqliteCodeStore(
  database: SqliteDatabase,
  { policy, clock = systemClock }: SqliteCodeStoreOptions,
): Promise<CodeStore> {
  await database.migrate("auth-codes", migrations);

  const calls = codeCalls(policy, (email, rule) =>
    database.write((db) => {
      const now = clock.now();
      const subject = subjectOf(email);
      const decided = applyRule(rule, { text: readText(db, subject), policy, now });
      db.query("INSERT OR REPLACE INTO auth_codes VALUES (?, ?, ?)").run(
        subject,
        decided.text,
        decided.endsAt,
      );
      sweep(db, now);
      return decided.outcome;
    }),
  );
  return {
    ...calls,
    policy,
    embedded: true,
    prepare: () => calls,
    ping: async () => {
      database.read((db) => db.query("SELECT 1 FROM auth_codes LIMIT 1").get());
    },
  };
}

function readText(db: Database, subject: string): string {
  const row = db
    .query<{ state: string }, [string]>("SELECT state FROM auth_codes WHERE subject = ?")
    .get(subject);
  return row?.state ?? "";
}

function sweep(db: Database, now: number): void {
  db.query(
    `DELETE FROM auth_codes WHERE subject IN
       (SELECT subject FROM auth_codes WHERE ends_at <= ? ORDER BY ends_at LIMIT ${sweptMax})`,
  ).run(now);
}
