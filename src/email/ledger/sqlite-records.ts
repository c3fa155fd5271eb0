import type { Database } from "bun:sqlite";
import { ledgerTtlMs } from "./delivery-ledger.ts";
import { decodeRecord, encodeRecord } from "./record-codec.ts";
import type { StoredRecord } from "./stored-record.ts";

/** The ledger's tables: the record as the same JSON that Redis holds, and new records per minute. */
export const schemaSteps = [
  `CREATE TABLE email_ledger (
    message_id TEXT PRIMARY KEY,
    record TEXT NOT NULL,
    expires_at INTEGER NOT NULL
  ) STRICT, WITHOUT ROWID`,
  "CREATE INDEX email_ledger_expires_at ON email_ledger (expires_at)",
  "CREATE TABLE email_ledger_minutes (minute INTEGER PRIMARY KEY, records INTEGER NOT NULL) STRICT",
] as const;

const minutesKept = ledgerTtlMs / 60_000;
/** Each new record drops up to this many that are older than a day, so they never pile up. */
const droppedPerRecord = 4;

export function readRecord(
  file: Database,
  messageId: string,
  now: number,
): StoredRecord | undefined {
  const row = file
    .query<{ record: string }, [string, number]>(
      "SELECT record FROM email_ledger WHERE message_id = ? AND expires_at > ?",
    )
    .get(messageId, now);
  return row === null ? undefined : decodeRecord(messageId, row.record);
}

/** In a transaction. `made`: there was no record before. */
export function writeRecord(
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
export function countRecords(file: Database, now: number): number {
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
