import type { Database } from "bun:sqlite";
import type { SqliteDatabase } from "../../core/sqlite/database.ts";
import type { Clock } from "../../core/time.ts";
import { systemClock, withDeadline } from "../../core/time.ts";
import { decideAdvance, decideBuried } from "./advance-rules.ts";
import { decideClaim } from "./claim-rules.ts";
import type { DeliveryLedger } from "./delivery-ledger.ts";
import { answeredAll, asLedgerError, ledgerTtlMs } from "./delivery-ledger.ts";
import type { Decision, StoredRecord } from "./record.ts";
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
] as const;

const minutesKept = ledgerTtlMs / 60_000;
/** Each new record drops up to this many that are older than a day, so that they never pile up. */
const droppedPerRecord = 4;

function readRecord(file: Database, messageId: string, now: number): StoredRecord | undefined {
  const row = file
    .query<{ record: string }, [string, number]>(
      "SELECT record FROM email_ledger WHERE message_id = ? AND expires_at > ?",
    )
    .get(messageId, now);
  return row === null ? undefined : decodeRecord(messageId, row.record);
}

/** In a transaction. `made`: there was no record before. */
function writeRecord(
  file: Database,
  record: StoredRecord,
  { now, made }: { readonly now: number; readonly made: boolean },
): void {
  file
    .query(
      `INSERT INTO email_ledger VALUES (?, ?, ?)
       ON CONFLICT (message_id) DO UPDATE
       SET record = excluded.record, expires_at = excluded.expires_at`,
    )
    .run(record.messageId, encodeRecord(record), now + ledgerTtlMs);
  if (made) countNew(file, now);
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

function countNew(file: Database, now: number): void {
  const minute = minuteOf(now);
  const { records } = file
    .query<{ records: number }, [number]>(
      `INSERT INTO email_ledger_minutes VALUES (?, 1)
       ON CONFLICT (minute) DO UPDATE SET records = records + 1 RETURNING records`,
    )
    .get(minute) ?? { records: 0 };
  if (records === 1) {
    file.query("DELETE FROM email_ledger_minutes WHERE minute <= ?").run(minute - minutesKept);
  }
  file
    .query(
      `DELETE FROM email_ledger WHERE message_id IN
       (SELECT message_id FROM email_ledger WHERE expires_at <= ? LIMIT ?)`,
    )
    .run(now, droppedPerRecord);
}

function minuteOf(ms: number): number {
  return Math.floor(ms / 60_000);
}

interface SqliteLedgerOptions {
  readonly database: SqliteDatabase;
  /** The store's time; processes that share the file share the machine's clock. */
  readonly clock?: Clock;
}

/** The ledger in a SQLite file. It uses the database it is given and leaves it open. */
export async function openSqliteDeliveryLedger(
  options: SqliteLedgerOptions,
): Promise<DeliveryLedger> {
  const { database, clock = systemClock } = options;
  await asLedgerError(() => database.migrate("email_ledger", schemaSteps));
  const write = <Outcome>(
    messageId: string,
    decide: (record: StoredRecord | undefined, now: number) => Decision<Outcome>,
  ) =>
    asLedgerError(() =>
      database.write((file) => decideAndWrite(file, messageId, clock.now(), decide)),
    );
  const ledger: DeliveryLedger = {
    connection: "embedded",
    refusal: undefined,
    claim: (request) =>
      write(request.messageId, (record, now) => decideClaim(record, request, now)),
    advance: (claim, to) =>
      write(claim.messageId, (record, now) => decideAdvance(record, claim, to, now)),
    claimAll: (requests) => answeredAll(requests.map((request) => ledger.claim(request))),
    advanceAll: (steps) =>
      answeredAll(steps.map(({ claim, change }) => ledger.advance(claim, change))),
    markBuried: (messageId, position) =>
      write(messageId, (record, now) => decideBuried(record, position, now)),
    find: (messageId) =>
      asLedgerError(async () => database.read((file) => readRecord(file, messageId, clock.now()))),
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

function decideAndWrite<Outcome>(
  file: Database,
  messageId: string,
  now: number,
  decide: (record: StoredRecord | undefined, now: number) => Decision<Outcome>,
): Outcome {
  const record = readRecord(file, messageId, now);
  const { write, outcome } = decide(record, now);
  if (write !== undefined) writeRecord(file, write, { now, made: record === undefined });
  return outcome;
}
