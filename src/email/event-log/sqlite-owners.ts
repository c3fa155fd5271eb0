import type { Database } from "bun:sqlite";

/** Who reads each partition: "member 3f2a91c04d7e", the beginning of its token. */
export function readOwners(
  database: Database,
  topic: string,
  group: string,
): ReadonlyMap<number, string> {
  const rows = database
    .query<{ partition: number; owner: string }, [string, string]>(
      `SELECT p.partition, p.owner FROM log_group_partitions p
       JOIN log_groups g ON g.id = p.group_id JOIN log_topics t ON t.id = g.topic_id
       WHERE t.topic = ? AND g.name = ? AND p.owner IS NOT NULL`,
    )
    .all(topic, group);
  return new Map(rows.map(({ partition, owner }) => [partition, `member ${owner.slice(0, 12)}`]));
}
