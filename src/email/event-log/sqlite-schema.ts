/**
 * The tables of the embedded event log.
 *
 * A group reads one topic. A partition of a group has at most one owner; `generation` grows with
 * each owner, so that what an earlier one still wants to commit is known as stale. `epoch` grows
 * with everything that may concern other members: one joined, one left, a partition became free.
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
