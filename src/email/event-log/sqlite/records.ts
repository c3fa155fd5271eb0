// Topics and their records in the SQLite event log.
import type { Database } from "bun:sqlite";
import { coreErrors, errorMessage, InstantError, isInstantError } from "../../../core/errors.ts";
import type { SqliteDatabase } from "../../../core/sqlite/database.ts";
import type { Clock } from "../../../core/time.ts";
import { withDeadline } from "../../../core/time.ts";
import type {
  LogRange,
  LogRecord,
  OutgoingRecord,
  PartitionOffsets,
  RecordHeaders,
  RecordPosition,
  TopicReport,
  TopicSpec,
} from "../event-log.ts";
import { describeDifferences, eventLogErrors, partitionOfKey } from "../event-log.ts";

export interface StoredTopic {
  readonly id: number;
  readonly topic: string;
  readonly partitions: number;
  readonly retentionMs: number;
  readonly recordBytesMax: number;
}

export function findTopic(database: Database, topic: string): StoredTopic | undefined {
  const row = database
    .query<StoredTopic, [string]>(
      `SELECT id, topic, partitions, retention_ms AS retentionMs, record_bytes_max AS recordBytesMax
       FROM log_topics WHERE topic = ?`,
    )
    .get(topic);
  return row ?? undefined;
}

/** Throws `topic_missing`. */
export function getTopic(database: Database, topic: string): StoredTopic {
  const stored = findTopic(database, topic);
  if (stored === undefined) throw new InstantError(eventLogErrors.topicMissing, { detail: topic });
  return stored;
}

/** Throws `topic_missing`. */
export function readOffsets(database: Database, topic: string): readonly PartitionOffsets[] {
  return database
    .query<PartitionOffsets, [number]>(
      "SELECT partition, earliest, next FROM log_partitions WHERE topic_id = ? ORDER BY partition",
    )
    .all(getTopic(database, topic).id);
}

/** Creates a topic, or reports how the existing one differs; adds partitions when `grow` is set. */
export function createTopic(database: Database, spec: TopicSpec, grow: boolean): TopicReport {
  const { topic, partitions } = spec;
  const stored = findTopic(database, topic);
  if (stored === undefined) {
    const created = database
      .query<{ id: number }, [string, number, number, number]>(
        `INSERT INTO log_topics (topic, partitions, retention_ms, record_bytes_max)
         VALUES (?, ?, ?, ?) RETURNING id`,
      )
      .get(topic, partitions, spec.retentionMs, spec.recordBytesMax);
    addPartitions(database, created?.id ?? 0, 0, partitions);
    return { topic, outcome: "created", partitions, differences: [] };
  }
  const isGrown = grow && partitions > stored.partitions;
  if (isGrown) {
    database.run("UPDATE log_topics SET partitions = ? WHERE id = ?", [partitions, stored.id]);
    addPartitions(database, stored.id, stored.partitions, partitions);
  }
  // A file has no replicas: a replication factor is neither kept nor compared.
  const state = { ...stored, replicationFactor: undefined, ...(isGrown ? { partitions } : {}) };
  return {
    topic,
    outcome: isGrown ? "grown" : "exists",
    partitions: state.partitions,
    differences: describeDifferences(spec, state),
  };
}

function addPartitions(database: Database, topicId: number, from: number, to: number): void {
  for (let partition = from; partition < to; partition += 1) {
    database.run("INSERT INTO log_partitions (topic_id, partition) VALUES (?, ?)", [
      topicId,
      partition,
    ]);
  }
}

/**
 * The tables of the embedded event log.
 *
 * A group reads one topic. A partition of a group has at most one owner; `generation` grows with
 * each owner, so that a late commit of an earlier one is recognised as stale. `epoch` grows with
 * every change that may affect other members: one joined, one left, a partition became free.
 */
export const eventLogSchema: readonly string[] = [
  `CREATE TABLE log_topics (
    id INTEGER PRIMARY KEY,
    topic TEXT NOT NULL UNIQUE,
    partitions INTEGER NOT NULL,
    retention_ms INTEGER NOT NULL,
    record_bytes_max INTEGER NOT NULL
  ) STRICT;
  CREATE TABLE log_partitions (
    topic_id INTEGER NOT NULL REFERENCES log_topics,
    partition INTEGER NOT NULL,
    earliest INTEGER NOT NULL DEFAULT 0,
    next INTEGER NOT NULL DEFAULT 0,
    PRIMARY KEY (topic_id, partition)
  ) STRICT, WITHOUT ROWID;
  CREATE TABLE log_records (
    topic_id INTEGER NOT NULL,
    partition INTEGER NOT NULL,
    offset INTEGER NOT NULL,
    timestamp INTEGER NOT NULL,
    key BLOB,
    value BLOB,
    headers TEXT,
    PRIMARY KEY (topic_id, partition, offset)
  ) STRICT, WITHOUT ROWID;
  CREATE TABLE log_groups (
    id INTEGER PRIMARY KEY,
    topic_id INTEGER NOT NULL REFERENCES log_topics,
    name TEXT NOT NULL,
    epoch INTEGER NOT NULL DEFAULT 0,
    seen_at INTEGER NOT NULL,
    UNIQUE (topic_id, name)
  ) STRICT;
  CREATE TABLE log_members (
    id INTEGER PRIMARY KEY AUTOINCREMENT,
    group_id INTEGER NOT NULL REFERENCES log_groups,
    token TEXT NOT NULL UNIQUE,
    heartbeat_at INTEGER NOT NULL
  ) STRICT;
  CREATE TABLE log_group_partitions (
    group_id INTEGER NOT NULL REFERENCES log_groups,
    partition INTEGER NOT NULL,
    committed INTEGER,
    owner TEXT,
    generation INTEGER NOT NULL DEFAULT 0,
    PRIMARY KEY (group_id, partition)
  ) STRICT, WITHOUT ROWID;`,
];

const unavailableRows = new Set<unknown>([
  coreErrors.sqliteBusy,
  coreErrors.sqliteFailed,
  coreErrors.deadlineExceeded,
]);

/** Maps to the port's error: any failure of the file is `log_unavailable`. */
export function toEventLogError(error: unknown): unknown {
  const isOurs = error instanceof InstantError && unavailableRows.has(error.row);
  if (!isOurs) return error;
  return new InstantError(eventLogErrors.logUnavailable, {
    detail: errorMessage(error),
    cause: error,
  });
}

/** Whether another process merely keeps the file locked: the next attempt may succeed. */
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

/** Awaits a write, with the errors of the port. */
export async function writeLog<T>(writing: Promise<T>): Promise<T> {
  try {
    return await writing;
  } catch (error) {
    throw toEventLogError(error);
  }
}

const pageBytesMax = 1024 * 1024;
const pageRecordsMax = 200;

interface RecordRow {
  readonly offset: number;
  readonly timestamp: number;
  readonly key: Uint8Array | null;
  readonly value: Uint8Array | null;
  readonly headers: string | null;
}

/** Within a write transaction. Throws `topic_missing`, `record_too_large`. */
function appendRecords(
  database: Database,
  topicName: string,
  records: readonly OutgoingRecord[],
  options: { readonly placeKeyless: (partitions: number) => number; readonly timestamp: number },
): readonly RecordPosition[] {
  const topic = getTopic(database, topicName);
  const { partitions } = topic;
  const { placeKeyless, timestamp } = options;
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
    const partition = key === null ? placeKeyless(partitions) : partitionOfKey(key, partitions);
    const offset = advance.get(topic.id, partition)?.offset ?? 0;
    insert.run(topic.id, partition, offset, timestamp, key, value, encodeHeaders(headers));
    return { topic: topicName, partition, offset };
  });
}

interface PageRequest {
  readonly partition: number;
  /** `from` ≤ offset < `to`. */
  readonly from: number;
  readonly to: number;
}

/** The next records in order: at most 200, and at most 1 MiB of values or one record. */
export function readPage(
  database: Database,
  topic: StoredTopic,
  { partition, from, to }: PageRequest,
): readonly LogRecord[] {
  const rows = database
    .query<RecordRow, [number, number, number, number, number]>(
      `SELECT offset, timestamp, key, value, headers FROM log_records
       WHERE topic_id = ? AND partition = ? AND offset >= ? AND offset < ?
       ORDER BY offset LIMIT ?`,
    )
    .iterate(topic.id, partition, from, to, pageRecordsMax);
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

/** The records of a range, a page in each turn of the event loop. Throws `topic_missing`. */
export async function* readRange(
  database: SqliteDatabase,
  { topic: topicName, partition, from, to, signal }: LogRange,
): AsyncGenerator<LogRecord, void, undefined> {
  let next = from;
  while (next < to) {
    const page = { partition, from: next, to };
    const records = readLog(database, (file) => readPage(file, getTopic(file, topicName), page));
    for (const record of records) {
      signal?.throwIfAborted();
      yield record;
    }
    const last = records.at(-1);
    if (last === undefined) return;
    next = last.offset + 1;
    await new Promise((resolve) => setImmediate(resolve));
    signal?.throwIfAborted();
  }
}

const recordsPerJob = 100;

interface SqlitePublisherOptions {
  readonly database: SqliteDatabase;
  readonly clock: Clock;
  /** Called after each write. */
  readonly onWritten: () => void;
}

/**
 * Appends records: in the order of the calls, on disk once it resolves. Calls that wait at the same
 * time share a transaction. A record that is still queued at its deadline is not written. Records
 * without a key are spread over the partitions in turn.
 */
export class SqlitePublisher {
  readonly #options: SqlitePublisherOptions;
  #keyless = 0;
  readonly #waiting = new Set<Promise<unknown>>();
  #isClosed = false;

  constructor(options: SqlitePublisherOptions) {
    this.#options = options;
  }

  async publish(
    topic: string,
    records: readonly OutgoingRecord[],
    deadlineMs: number,
  ): Promise<readonly RecordPosition[]> {
    if (this.#isClosed) throw unavailable("it was closed");
    const call = { isLate: false };
    const writing = Promise.all(this.#write(topic, records, call));
    const publishing = withDeadline("a publish", deadlineMs, writing);
    this.#waiting.add(publishing);
    try {
      return (await publishing).flat();
    } catch (error) {
      call.isLate = true;
      throw toEventLogError(error);
    } finally {
      this.#waiting.delete(publishing);
      this.#options.onWritten();
    }
  }

  /** Waits for earlier publishes. */
  async close(): Promise<void> {
    this.#isClosed = true;
    await Promise.allSettled(this.#waiting);
  }

  /** Queues all jobs at once, so that no later call gets between them. */
  #write(
    topic: string,
    records: readonly OutgoingRecord[],
    call: { readonly isLate: boolean },
  ): readonly Promise<readonly RecordPosition[]>[] {
    const { database, clock } = this.#options;
    const jobs: Promise<readonly RecordPosition[]>[] = [];
    for (let from = 0; from < records.length; from += recordsPerJob) {
      const part = records.slice(from, from + recordsPerJob);
      const job = database.write((file) => {
        if (call.isLate) throw unavailable("the deadline passed before it was written");
        return appendRecords(file, topic, part, {
          timestamp: clock.now(),
          placeKeyless: (partitions) => this.#keyless++ % partitions,
        });
      });
      jobs.push(job);
    }
    return jobs;
  }
}

function unavailable(detail: string): InstantError {
  return new InstantError(eventLogErrors.logUnavailable, { detail });
}
