import type { Database } from "bun:sqlite";
import { InstantError } from "../../../core/errors.ts";
import type { PartitionLag } from "../event-log.ts";
import { eventLogErrors } from "../event-log.ts";
import type { StoredTopic } from "./records.ts";
import { findTopic, getTopic } from "./records.ts";

export interface Member {
  readonly topic: string;
  readonly group: string;
  /** Random; an evicted member may come back with the same one. */
  readonly token: string;
}

/** A partition that this member owns. `start` is the committed offset, or the earliest. */
export interface OwnedPartition {
  readonly partition: number;
  readonly generation: number;
  readonly start: number;
}

export interface Membership {
  readonly topic: StoredTopic;
  readonly groupId: number;
  readonly epoch: number;
  readonly owned: readonly OwnedPartition[];
  /** Its partitions that other members wait for. */
  readonly excess: readonly number[];
}

/**
 * One heartbeat, within a write transaction: evicts members without a heartbeat for `sessionMs`,
 * joins or renews, and takes free partitions up to this member's share (older members get the
 * remainder). No member takes a partition from a live one: a member with too many releases them.
 * Undefined: the topic is missing. Throws `offset_out_of_range`.
 */
export function renewMembership(
  database: Database,
  { topic: topicName, group, token }: Member,
  options: { readonly now: number; readonly sessionMs: number; readonly takes: boolean },
): Membership | undefined {
  const topic = findTopic(database, topicName);
  if (topic === undefined) return undefined;
  const { now, sessionMs, takes } = options;
  const groupId = seeGroup(database, topic, group, now);
  evictSilent(database, groupId, token, now, sessionMs);
  renewMember(database, groupId, token, now);
  const share = findShare(database, topic, groupId, token);
  if (takes) takeFree(database, groupId, token, share);
  const owned = readOwned(database, topic, groupId, token);
  const excess = owned.slice(share).map(({ partition }) => partition);
  return { topic, groupId, epoch: readEpoch(database, groupId), owned, excess };
}

export function readEpoch(database: Database, groupId: number): number {
  const row = database
    .query<{ epoch: number }, [number]>("SELECT epoch FROM log_groups WHERE id = ?")
    .get(groupId);
  return row?.epoch ?? -1;
}

/** Makes the other members read the group again. */
function bumpEpoch(database: Database, groupId: number): void {
  database.run("UPDATE log_groups SET epoch = epoch + 1 WHERE id = ?", [groupId]);
}

/** Forgets a member and frees its partitions. */
export function removeMember(database: Database, token: string): void {
  const row = database
    .query<{ groupId: number }, [string]>(
      "DELETE FROM log_members WHERE token = ? RETURNING group_id AS groupId",
    )
    .get(token);
  if (row === null) return;
  database.run("UPDATE log_group_partitions SET owner = NULL WHERE group_id = ? AND owner = ?", [
    row.groupId,
    token,
  ]);
  bumpEpoch(database, row.groupId);
}

function seeGroup(database: Database, topic: StoredTopic, group: string, now: number): number {
  const row = database
    .query<{ id: number }, [number, string, number]>(
      `INSERT INTO log_groups (topic_id, name, seen_at) VALUES (?, ?, ?)
       ON CONFLICT DO UPDATE SET seen_at = excluded.seen_at RETURNING id`,
    )
    .get(topic.id, group, now);
  if (row === null) throw new Error("an upsert returned no row");
  database.run(
    `INSERT INTO log_group_partitions (group_id, partition)
     SELECT ?, partition FROM log_partitions WHERE topic_id = ? ON CONFLICT DO NOTHING`,
    [row.id, topic.id],
  );
  return row.id;
}

/** A heartbeat from the future counts as expired, too: the machine's clock was set back. */
function evictSilent(
  database: Database,
  groupId: number,
  token: string,
  now: number,
  sessionMs: number,
): void {
  const silent = database
    .query<{ token: string }, [number, string, number, number]>(
      `SELECT token FROM log_members
       WHERE group_id = ? AND token <> ? AND abs(? - heartbeat_at) > ?`,
    )
    .all(groupId, token, now, sessionMs);
  for (const member of silent) removeMember(database, member.token);
}

function renewMember(database: Database, groupId: number, token: string, now: number): void {
  const renewed = database.run("UPDATE log_members SET heartbeat_at = ? WHERE token = ?", [
    now,
    token,
  ]);
  if (renewed.changes > 0) return;
  database.run("INSERT INTO log_members (group_id, token, heartbeat_at) VALUES (?, ?, ?)", [
    groupId,
    token,
    now,
  ]);
  bumpEpoch(database, groupId);
}

function findShare(database: Database, topic: StoredTopic, groupId: number, token: string): number {
  const members = database
    .query<{ token: string }, [number]>(
      "SELECT token FROM log_members WHERE group_id = ? ORDER BY id",
    )
    .all(groupId);
  const rank = members.findIndex((member) => member.token === token);
  const isOdd = rank < topic.partitions % members.length;
  return Math.floor(topic.partitions / members.length) + (isOdd ? 1 : 0);
}

function takeFree(database: Database, groupId: number, token: string, share: number): void {
  const owned = database
    .query<{ count: number }, [number, string]>(
      "SELECT count(*) AS count FROM log_group_partitions WHERE group_id = ? AND owner = ?",
    )
    .get(groupId, token);
  database.run(
    `UPDATE log_group_partitions SET owner = ?, generation = generation + 1
     WHERE group_id = ? AND owner IS NULL AND partition IN (
       SELECT partition FROM log_group_partitions
       WHERE group_id = ? AND owner IS NULL ORDER BY partition LIMIT ?)`,
    [token, groupId, groupId, Math.max(0, share - (owned?.count ?? 0))],
  );
}

function readOwned(
  database: Database,
  topic: StoredTopic,
  groupId: number,
  token: string,
): readonly OwnedPartition[] {
  const rows = database
    .query<OwnedPartition & { earliest: number; next: number }, [number, number, string]>(
      `SELECT p.partition, g.generation, coalesce(g.committed, p.earliest) AS start,
         p.earliest, p.next
       FROM log_group_partitions g JOIN log_partitions p ON p.partition = g.partition
       WHERE p.topic_id = ? AND g.group_id = ? AND g.owner = ? ORDER BY p.partition`,
    )
    .all(topic.id, groupId, token);
  for (const { partition, start, earliest, next } of rows) {
    if (start >= earliest && start <= next) continue;
    throw new InstantError(eventLogErrors.offsetOutOfRange, {
      detail: `${topic.topic} partition ${partition}: ${start} is not in ${earliest} to ${next}`,
    });
  }
  return rows.map(({ partition, generation, start }) => ({ partition, generation, start }));
}

export interface Commit {
  readonly partition: number;
  /** The generation with which the member took the partition. */
  readonly generation: number;
  readonly offset: number;
}

export interface Owner {
  readonly groupId: number;
  readonly token: string;
}

/**
 * Commits what `owner` still owns, within a write transaction, and returns those commits. Owner and
 * generation are compared, because a frozen member may have been replaced.
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

interface LagRow {
  readonly partition: number;
  readonly committed: number;
  readonly next: number;
  /** A member's token. */
  readonly owner: string | null;
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
    .query<LagRow, [number, string, number]>(
      `SELECT p.partition, p.next, coalesce(g.committed, p.earliest) AS committed, g.owner
       FROM log_partitions p LEFT JOIN log_group_partitions g ON g.partition = p.partition
         AND g.group_id = (SELECT id FROM log_groups WHERE topic_id = ? AND name = ?)
       WHERE p.topic_id = ? ORDER BY p.partition`,
    )
    .all(topic.id, group, topic.id);
  const oldest = database.query<{ timestamp: number }, [number, number, number]>(
    `SELECT timestamp FROM log_records WHERE topic_id = ? AND partition = ? AND offset >= ?
     ORDER BY offset LIMIT 1`,
  );
  return rows.map(({ partition, committed, next, owner }) => {
    const timestamp = oldest.get(topic.id, partition, committed)?.timestamp ?? now;
    return {
      partition,
      owner: owner === null ? undefined : `member ${owner.slice(0, 12)}`,
      committed,
      records: Math.max(0, next - committed),
      seconds: Math.max(0, (now - timestamp) / 1_000),
    };
  });
}
