import type { Database } from "bun:sqlite";
import type { PartitionLag } from "./event-log.ts";
import { bumpEpoch } from "./sqlite-membership.ts";
import { getTopic } from "./sqlite-topics.ts";

export interface Commit {
  readonly partition: number;
  /** The one the member took the partition with. */
  readonly generation: number;
  readonly offset: number;
}

export interface Owner {
  readonly groupId: number;
  readonly token: string;
}

/**
 * Commits what `owner` still owns, within a write transaction, and returns those commits. A member
 * that was frozen and replaced owns nothing any more: owner and generation are compared here.
 */
export function commitOffsets(
  database: Database,
  { groupId, token }: Owner,
  commits: readonly Commit[],
): readonly Commit[] {
  const statement = database.query(
    `UPDATE log_group_partitions SET committed = max(coalesce(committed, 0), ?)
     WHERE group_id = ? AND partition = ? AND owner = ? AND generation = ?`,
  );
  return commits.filter(
    ({ partition, generation, offset }) =>
      statement.run(offset, groupId, partition, token, generation).changes > 0,
  );
}

/** Gives partitions back to the group. */
export function releasePartitions(
  database: Database,
  { groupId, token }: Owner,
  partitions: readonly number[],
): void {
  for (const partition of partitions) {
    database.run(
      "UPDATE log_group_partitions SET owner = NULL WHERE group_id = ? AND partition = ? AND owner = ?",
      [groupId, partition, token],
    );
  }
  bumpEpoch(database, groupId);
}

/** Throws `topic_missing`. */
export function readLag(
  database: Database,
  topicName: string,
  group: string,
  now: number,
): readonly PartitionLag[] {
  const topic = getTopic(database, topicName);
  const rows = database
    .query<{ partition: number; committed: number; next: number }, [number, string, number]>(
      `SELECT p.partition, p.next, coalesce(g.committed, p.earliest) AS committed
       FROM log_partitions p LEFT JOIN log_group_partitions g ON g.partition = p.partition
         AND g.group_id = (SELECT id FROM log_groups WHERE topic_id = ? AND name = ?)
       WHERE p.topic_id = ? ORDER BY p.partition`,
    )
    .all(topic.id, group, topic.id);
  const oldest = database.query<{ timestamp: number }, [number, number, number]>(
    `SELECT timestamp FROM log_records WHERE topic_id = ? AND partition = ? AND offset >= ?
     ORDER BY offset LIMIT 1`,
  );
  return rows.map(({ partition, committed, next }) => {
    const timestamp = oldest.get(topic.id, partition, committed)?.timestamp ?? now;
    const records = Math.max(0, next - committed);
    return { partition, committed, records, seconds: Math.max(0, (now - timestamp) / 1_000) };
  });
}
