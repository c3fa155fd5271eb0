import type { Database } from "bun:sqlite";
import { coreErrors, errorMessage, InstantError, isInstantError } from "../../../core/errors.ts";
import type { SqliteDatabase } from "../../../core/sqlite/database.ts";
import type { PartitionOffsets, TopicReport, TopicSpec } from "../event-log.ts";
import { eventLogErrors } from "../event-log.ts";
import { describeDifferences } from "../topic-differences.ts";

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

const unavailable = new Set<unknown>([
  coreErrors.sqliteBusy,
  coreErrors.sqliteFailed,
  coreErrors.deadlineExceeded,
]);

/** Maps to the port's error: any failure of the file is `log_unavailable`. */
export function toEventLogError(error: unknown): unknown {
  const isOurs = error instanceof InstantError && unavailable.has(error.row);
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
