import type { Database } from "bun:sqlite";
import { InstantError } from "../../core/errors.ts";
import { partitionOfKey } from "../../core/murmur2.ts";
import { eventLogErrors } from "./error-codes.ts";
import type { LogRecord, OutgoingRecord, RecordHeaders, RecordPosition } from "./event-log.ts";
import type { StoredTopic } from "./sqlite-topics.ts";
import { getTopic } from "./sqlite-topics.ts";

const pageBytesMax = 1024 * 1024;

interface RecordRow {
  readonly offset: number;
  readonly timestamp: number;
  readonly key: Uint8Array | null;
  readonly value: Uint8Array | null;
  readonly headers: string | null;
}

/** Places records without a key: one partition after the other. */
export class RoundRobin {
  #turn = 0;

  next(partitions: number): number {
    const partition = this.#turn % partitions;
    this.#turn = partition + 1;
    return partition;
  }
}

/** Within a write transaction. Throws `topic_missing`, `record_too_large`. */
export function appendRecords(
  database: Database,
  topicName: string,
  records: readonly OutgoingRecord[],
  options: { readonly keyless: RoundRobin; readonly timestamp: number },
): readonly RecordPosition[] {
  const topic = getTopic(database, topicName);
  for (const record of records) checkSize(topic, record);
  const advance = database.query<{ offset: number }, [number, number]>(
    `UPDATE log_partitions SET next = next + 1 WHERE topic_id = ? AND partition = ?
     RETURNING next - 1 AS offset`,
  );
  const insert = database.query(
    `INSERT INTO log_records (topic_id, partition, offset, timestamp, key, value, headers)
     VALUES (?, ?, ?, ?, ?, ?, ?)`,
  );
  return records.map(({ key, value, headers }) => {
    const partition =
      key === null ? options.keyless.next(topic.partitions) : partitionOfKey(key, topic.partitions);
    const offset = advance.get(topic.id, partition)?.offset ?? 0;
    const { timestamp } = options;
    insert.run(topic.id, partition, offset, timestamp, key, value, encodeHeaders(headers));
    return { topic: topicName, partition, offset };
  });
}

export interface PageRequest {
  readonly partition: number;
  /** `from` ≤ offset < `to`. */
  readonly from: number;
  readonly to: number;
  readonly recordsMax: number;
}

/** The next records in order, at most 1 MiB of values or one record. */
export function readPage(
  database: Database,
  topic: StoredTopic,
  { partition, from, to, recordsMax }: PageRequest,
): readonly LogRecord[] {
  const rows = database
    .query<RecordRow, [number, number, number, number, number]>(
      `SELECT offset, timestamp, key, value, headers FROM log_records
       WHERE topic_id = ? AND partition = ? AND offset >= ? AND offset < ?
       ORDER BY offset LIMIT ?`,
    )
    .iterate(topic.id, partition, from, to, recordsMax);
  const records: LogRecord[] = [];
  let bytes = 0;
  for (const { headers, ...row } of rows) {
    records.push({
      ...row,
      topic: topic.topic,
      partition,
      timestampType: "LogAppendTime",
      headers: decodeHeaders(headers),
    });
    bytes += row.value?.byteLength ?? 0;
    if (bytes > pageBytesMax) break;
  }
  return records;
}

function checkSize({ topic, recordBytesMax }: StoredTopic, record: OutgoingRecord): void {
  let bytes = (record.key?.byteLength ?? 0) + (record.value?.byteLength ?? 0);
  for (const [name, value] of record.headers) {
    bytes += Buffer.byteLength(name) + (value?.byteLength ?? 0);
  }
  if (bytes <= recordBytesMax) return;
  throw new InstantError(eventLogErrors.recordTooLarge, {
    detail: `${bytes} bytes; ${topic} takes up to ${recordBytesMax}`,
  });
}

/** `[["name", "bytes as latin1" | null], …]`; null for no headers. */
function encodeHeaders(headers: RecordHeaders): string | null {
  if (headers.length === 0) return null;
  const texts = headers.map(([name, value]) => [
    name,
    value && Buffer.from(value).toString("latin1"),
  ]);
  return JSON.stringify(texts);
}

function decodeHeaders(text: string | null): RecordHeaders {
  if (text === null) return [];
  const headers = JSON.parse(text) as readonly (readonly [string, string | null])[];
  return headers.map(([name, value]) => [
    name,
    value === null ? null : Buffer.from(value, "latin1"),
  ]);
}
