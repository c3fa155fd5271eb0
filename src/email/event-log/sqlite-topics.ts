import type { Database } from "bun:sqlite";
import { InstantError } from "../../core/errors.ts";
import { eventLogErrors } from "./error-codes.ts";
import type { PartitionOffsets, TopicReport, TopicSpec } from "./event-log.ts";
import { describeDifferences } from "./topic-differences.ts";

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

/** Creates the topic, or says how the one that is there differs; grows it when asked. */
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
