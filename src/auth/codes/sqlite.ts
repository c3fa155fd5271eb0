import type { Database } from "bun:sqlite";
import type { SqliteDatabase } from "../../core/sqlite/database.ts";
import type { Clock } from "../../core/time.ts";
import { systemClock } from "../../core/time.ts";
import { subjectOf } from "../keys.ts";
import type { CodePolicy } from "./code-policy.ts";
import type { CodeState } from "./code-state.ts";
import {
  ageCodes,
  codeStateEndsAt,
  createCodeState,
  forgetCodes,
  issueCode,
  refundCode,
  verifyCode,
} from "./code-state.ts";
import type { CodeStore } from "./code-store.ts";

const migrations = [
  `CREATE TABLE auth_codes (
    subject TEXT PRIMARY KEY,
    state TEXT NOT NULL,
    ends_at INTEGER NOT NULL
  ) STRICT;
  CREATE INDEX auth_codes_ends_at ON auth_codes (ends_at);`,
];

/** Forgotten with each change: more than one, so that the file does not grow. */
const sweptMax = 10;

interface SqliteCodeStoreOptions {
  readonly policy: CodePolicy;
  readonly clock?: Clock;
}

/** Codes in a SQLite file; each call is one transaction. Does not close the file it is given. */
export async function openSqliteCodeStore(
  database: SqliteDatabase,
  { policy, clock = systemClock }: SqliteCodeStoreOptions,
): Promise<CodeStore> {
  await database.migrate("auth-codes", migrations);

  /** One address, aged, changed and saved, in one transaction. */
  function change<T>(email: string, apply: (state: CodeState, now: number) => T): Promise<T> {
    return database.write((db) => {
      const now = clock.now();
      const subject = subjectOf(email);
      const state = readState(db, subject);
      ageCodes(state, policy, now);
      const outcome = apply(state, now);
      db.query("INSERT OR REPLACE INTO auth_codes VALUES (?, ?, ?)").run(
        subject,
        JSON.stringify(state),
        codeStateEndsAt(state, policy, now),
      );
      sweep(db, now);
      return outcome;
    });
  }

  return {
    policy,
    embedded: true,
    issue: (request) =>
      change(request.email, (state, now) => issueCode(state, request, policy, now)),
    refund: ({ email, messageId }) => change(email, (state) => refundCode(state, messageId)),
    verify: (request) =>
      change(request.email, (state, now) => verifyCode(state, request, policy, now)),
    forget: (email) => change(email, forgetCodes),
    ping: async () => {
      database.read((db) => db.query("SELECT 1 FROM auth_codes LIMIT 1").get());
    },
  };
}

function readState(db: Database, subject: string): CodeState {
  const row = db
    .query<{ state: string }, [string]>("SELECT state FROM auth_codes WHERE subject = ?")
    .get(subject);
  return row === null ? createCodeState() : (JSON.parse(row.state) as CodeState);
}

function sweep(db: Database, now: number): void {
  db.query(
    `DELETE FROM auth_codes WHERE subject IN
       (SELECT subject FROM auth_codes WHERE ends_at <= ? ORDER BY ends_at LIMIT ${sweptMax})`,
  ).run(now);
}
