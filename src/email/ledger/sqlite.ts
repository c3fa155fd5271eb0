import type { Database } from "bun:sqlite";
import { isInstantError } from "../../core/errors.ts";
import type { SqliteDatabase } from "../../core/sqlite/database.ts";
import type { Clock } from "../../core/time.ts";
import { systemClock, withDeadline } from "../../core/time.ts";
import type { RecentMails } from "../recent-mails/recent-mails.ts";
import { burialRules, OwnClaims, stepRules } from "./advance-rules.ts";
import { claimRules } from "./claim-rules.ts";
import type { Answered, DeliveryLedger } from "./delivery-ledger.ts";
import { answerOf, asLedgerError, ledgerTtlMs, unanswered } from "./delivery-ledger.ts";
import type { LedgerRules, StoredRecord } from "./record.ts";
import { decodeRecord, encodeRecord } from "./record.ts";

/** The ledger's tables: the record, in the same JSON as in Redis, and the new records per minute. */
const schemaSteps = [
  `CREATE TABLE email_ledger (
    message_id TEXT PRIMARY KEY,
    record TEXT NOT NULL,
    expires_at INTEGER NOT NULL
  ) STRICT, WITHOUT ROWID`,
  "CREATE INDEX email_ledger_expires_at ON email_ledger (expires_at)",
  "CREATE TABLE email_ledger_minutes (minute INTEGER PRIMARY KEY, records INTEGER NOT NULL) STRICT",
  // With rowids, the records of one batch are on the same pages, and so are their later changes.
  `CREATE TABLE email_ledger_by_rowid (
    message_id TEXT PRIMARY KEY NOT NULL,
    record TEXT NOT NULL,
    expires_at INTEGER NOT NULL
  ) STRICT;
  INSERT INTO email_ledger_by_rowid SELECT * FROM email_ledger ORDER BY expires_at;
  DROP TABLE email_ledger;
  ALTER TABLE email_ledger_by_rowid RENAME TO email_ledger;
  CREATE INDEX email_ledger_expires_at ON email_ledger (expires_at)`,
] as const;

const minutesKept = ledgerTtlMs / 60_000;
/** Each new record drops up to this many that are older than a day, so that they never pile up. */
const droppedPerRecord = 4;

/** The records in the file. What this process wrote itself is not decoded again. */
class SqliteRecords {
  readonly #own = new OwnClaims<{ readonly record: StoredRecord; readonly text: string }>();

  find(file: Database, messageId: string, now: number): StoredRecord | undefined {
    const row = file
      .query<{ record: string }, [string, number]>(
        "SELECT record FROM email_ledger WHERE message_id = ? AND expires_at > ?",
      )
      .get(messageId, now);
    if (row === null) return undefined;
    const written = this.#own.find(messageId);
    return written?.text === row.record ? written.record : decodeRecord(messageId, row.record);
  }

  /** In a transaction. */
  write(file: Database, record: StoredRecord, now: number): void {
    const text = encodeRecord(record).join("");
    file
      .query(
        `INSERT INTO email_ledger VALUES (?, ?, ?)
         ON CONFLICT (message_id) DO UPDATE
         SET record = excluded.record, expires_at = excluded.expires_at`,
      )
      .run(record.messageId, text, now + ledgerTtlMs);
    this.#own.keep({ record, text });
  }
}

/** Of the last 24 h; reads one row per minute. */
function countRecords(file: Database, now: number): number {
  const row = file
    .query<{ records: number }, [number]>(
      "SELECT coalesce(sum(records), 0) AS records FROM email_ledger_minutes WHERE minute > ?",
    )
    .get(minuteOf(now) - minutesKept);
  return row?.records ?? 0;
}

function countNew(file: Database, made: number, now: number): void {
  const minute = minuteOf(now);
  const { records } = file
    .query<{ records: number }, [number, number]>(
      `INSERT INTO email_ledger_minutes VALUES (?, ?)
       ON CONFLICT (minute) DO UPDATE SET records = records + excluded.records RETURNING records`,
    )
    .get(minute, made) ?? { records: 0 };
  if (records === made) {
    file.query("DELETE FROM email_ledger_minutes WHERE minute <= ?").run(minute - minutesKept);
  }
  file
    .query(
      `DELETE FROM email_ledger WHERE message_id IN
       (SELECT message_id FROM email_ledger WHERE expires_at <= ? LIMIT ?)`,
    )
    .run(now, made * droppedPerRecord);
}

function minuteOf(ms: number): number {
  return Math.floor(ms / 60_000);
}

interface SqliteLedgerOptions {
  readonly database: SqliteDatabase;
  /** The store's time; processes that share the file share the machine's clock. */
  readonly clock?: Clock;
  /** The index of what is claimed; see there. */
  readonly recentMails?: Pick<RecentMails, "add">;
}

/** The ledger in a SQLite file. It uses the database it is given and leaves it open. */
export async function openSqliteDeliveryLedger(
  options: SqliteLedgerOptions,
): Promise<DeliveryLedger> {
  const { database, clock = systemClock, recentMails } = options;
  await asLedgerError(() => database.migrate("email_ledger", schemaSteps));
  const records = new SqliteRecords();
  /** All in one transaction, which fails as a whole. */
  const change = async <Call, Outcome>(
    calls: readonly Call[],
    rules: LedgerRules<Call, Outcome>,
  ) => {
    try {
      return await database.write((file) => decideAll(file, records, calls, rules, clock.now()));
    } catch (error) {
      if (!isInstantError(error)) throw error;
      return calls.map(() => unanswered(error));
    }
  };
  const ledger: DeliveryLedger = {
    connection: "embedded",
    refusal: undefined,
    claim: async (request) => answerOf(await ledger.claimAll([request])),
    advance: async (claim, to) => answerOf(await ledger.advanceAll([{ claim, change: to }])),
    claimAll: (requests) => {
      recentMails?.add(requests); // in the same transaction
      return change(requests, claimRules);
    },
    advanceAll: (steps) => change(steps, stepRules),
    markBuried: async (messageId, position) =>
      answerOf(await change([position], burialRules(messageId))),
    find: (messageId) =>
      asLedgerError(async () =>
        database.read((file) => records.find(file, messageId, clock.now())),
      ),
    count: () =>
      asLedgerError(async () => database.read((file) => countRecords(file, clock.now()))),
    ping: ({ deadlineMs }) =>
      asLedgerError(() =>
        withDeadline(
          "an empty transaction",
          deadlineMs,
          database.write(() => {}),
        ),
      ),
    close: async () => {},
    [Symbol.asyncDispose]: () => ledger.close(),
  };
  return ledger;
}

function decideAll<Call, Outcome>(
  file: Database,
  records: SqliteRecords,
  calls: readonly Call[],
  { idOf, decide }: LedgerRules<Call, Outcome>,
  now: number,
): readonly Answered<Outcome>[] {
  let made = 0;
  const outcomes = calls.map((call) => {
    const record = records.find(file, idOf(call), now);
    const { write, outcome } = decide(record, call, now);
    if (write === undefined) return outcome;
    records.write(file, write, now);
    if (record === undefined) made += 1;
    return outcome;
  });
  if (made > 0) countNew(file, made, now);
  return outcomes;
}
