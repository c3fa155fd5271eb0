// The event log on SQLite: the port's adapter, and the trimming of old records.
import type { Database } from "bun:sqlite";
import { errorMessage } from "../../../core/errors.ts";
import type { Log } from "../../../core/log.ts";
import type { SqliteDatabase } from "../../../core/sqlite/database.ts";
import type { Clock } from "../../../core/time.ts";
import { systemClock, withDeadline } from "../../../core/time.ts";
import type { EventLog, Subscription } from "../event-log.ts";
import type { GroupTimings } from "./group-member.ts";
import { readLag } from "./membership.ts";
import {
  createTopic,
  eventLogSchema,
  readLog,
  readOffsets,
  readRange,
  SqlitePublisher,
  writeLog,
} from "./records.ts";
import { openSqliteSubscription, SqliteWakeups } from "./subscription.ts";

const recordsPerStep = 200;

interface Trimmable {
  readonly topicId: number;
  readonly partition: number;
  readonly earliest: number;
  readonly next: number;
  readonly retentionMs: number;
}

/**
 * Removes records that are older than their topic's retention and behind every group that reads the
 * topic; a topic without a group (dead letters) is trimmed by age alone. At most 200 records,
 * within a write transaction; returns whether there may be more.
 *
 * A group without a member for the topic's retention is forgotten when another group was seen
 * since, because a renamed group would otherwise keep the log growing for ever. The last group is
 * never forgotten: what it has not read is kept.
 */
function trimStep(database: Database, now: number): boolean {
  deleteOldGroups(database, now);
  const partitions = database
    .query<Trimmable, []>(
      `SELECT topic_id AS topicId, partition, earliest, p.next, retention_ms AS retentionMs
       FROM log_partitions p JOIN log_topics t ON t.id = p.topic_id
       WHERE earliest < p.next`,
    )
    .all();
  let left = recordsPerStep;
  for (const partition of partitions) {
    left -= trimPartition(database, partition, now, left);
    if (left <= 0) return true;
  }
  return false;
}

function deleteOldGroups(database: Database, now: number): void {
  const deleted = database
    .query<{ id: number }, [number]>(
      `SELECT g.id FROM log_groups g JOIN log_topics t ON t.id = g.topic_id
       WHERE g.seen_at < ?1 - t.retention_ms
         AND EXISTS (SELECT 1 FROM log_groups o WHERE o.topic_id = g.topic_id
           AND o.seen_at >= ?1 - t.retention_ms)`,
    )
    .all(now);
  for (const { id } of deleted) {
    database.run("DELETE FROM log_group_partitions WHERE group_id = ?", [id]);
    database.run("DELETE FROM log_members WHERE group_id = ?", [id]);
    database.run("DELETE FROM log_groups WHERE id = ?", [id]);
  }
}

function trimPartition(
  database: Database,
  { topicId, partition, earliest, next, retentionMs }: Trimmable,
  now: number,
  recordsMax: number,
): number {
  const end = Math.min(readLowest(database, topicId, partition) ?? next, earliest + recordsMax);
  const tooYoung = database
    .query<{ offset: number }, [number, number, number, number, number]>(
      `SELECT offset FROM log_records WHERE topic_id = ? AND partition = ? AND offset >= ?
         AND offset < ? AND timestamp >= ? ORDER BY offset LIMIT 1`,
    )
    .get(topicId, partition, earliest, end, now - retentionMs);
  const to = Math.min(end, tooYoung?.offset ?? end, next);
  if (to <= earliest) return 0;
  database.run("DELETE FROM log_records WHERE topic_id = ? AND partition = ? AND offset < ?", [
    topicId,
    partition,
    to,
  ]);
  database.run("UPDATE log_partitions SET earliest = ? WHERE topic_id = ? AND partition = ?", [
    to,
    topicId,
    partition,
  ]);
  return to - earliest;
}

/** The offset that the slowest group still needs; undefined when no group reads the topic. */
function readLowest(database: Database, topicId: number, partition: number): number | undefined {
  const row = database
    .query<{ lowest: number | null }, [number, number]>(
      `SELECT min(coalesce(gp.committed, 0)) AS lowest
       FROM log_groups g LEFT JOIN log_group_partitions gp
         ON gp.group_id = g.id AND gp.partition = ?
       WHERE g.topic_id = ?`,
    )
    .get(partition, topicId);
  return row?.lowest ?? undefined;
}

interface SqliteTrimmerOptions {
  readonly database: SqliteDatabase;
  readonly clock: Clock;
  readonly log: Log;
  readonly everyMs: number;
}

/** Trims the log every `everyMs`, in small steps, until it is closed. */
class SqliteTrimmer {
  readonly #options: SqliteTrimmerOptions;
  readonly #closed = new AbortController();
  readonly #running: Promise<void>;

  constructor(options: SqliteTrimmerOptions) {
    this.#options = options;
    this.#running = this.#run();
  }

  async close(): Promise<void> {
    this.#closed.abort();
    await this.#running;
  }

  async #run(): Promise<void> {
    const { clock, everyMs, log } = this.#options;
    const { signal } = this.#closed;
    for (;;) {
      await clock.sleep(everyMs, signal);
      if (signal.aborted) return;
      try {
        await this.#trim();
      } catch (error) {
        log.warn(
          { error: errorMessage(error) },
          "Could not trim the event log, trying again later",
        );
      }
    }
  }

  async #trim(): Promise<void> {
    const { database, clock } = this.#options;
    let hasMore = true;
    while (hasMore && !this.#closed.signal.aborted) {
      hasMore = await database.write((file) => trimStep(file, clock.now()));
    }
  }
}

const drainOnCloseMs = 5_000;

export interface SqliteEventLogOptions {
  readonly log: Log;
  readonly timings?: Partial<SqliteTimings>;
  readonly clock?: Clock;
}

interface SqliteTimings extends GroupTimings {
  /** How long it takes at most to notice a record of another process. */
  readonly pollMs: number;
  readonly trimEveryMs: number;
}

const timingsDefault: SqliteTimings = {
  heartbeatMs: 1_000,
  sessionMs: 6_000,
  pollMs: 50,
  trimEveryMs: 600_000,
};

/**
 * The event log in a SQLite file that processes of one machine share. Does not close the given
 * database. Every acknowledged publish is on disk; publishes that wait together share one
 * transaction.
 */
export async function openSqliteEventLog(
  database: SqliteDatabase,
  options: SqliteEventLogOptions,
): Promise<EventLog> {
  const { log, clock = systemClock } = options;
  const timings = { ...timingsDefault, ...options.timings };
  await writeLog(database.migrate("event_log", eventLogSchema));
  const wakeups = new SqliteWakeups(database, timings);
  const trimmer = new SqliteTrimmer({ database, clock, log, everyMs: timings.trimEveryMs });
  const publisher = new SqlitePublisher({ database, clock, onWritten: () => wakeups.notify() });
  const subscriptions = new Set<Subscription>();
  let closing: Promise<void> | undefined;

  const closeAll = async () => {
    await Promise.all([...subscriptions].map((each) => each.stop({ drainMs: drainOnCloseMs })));
    await publisher.close(); // after the handlers, which may publish
    await trimmer.close();
  };

  const eventLog: EventLog = {
    address: `embedded (${database.path})`,
    publish: (topic, records, { deadlineMs }) => publisher.publish(topic, records, deadlineMs),
    subscribe: async (wanted) => {
      const shared = { database, timings, clock, log, wakeups };
      const subscription = openSqliteSubscription({ ...wanted, ...shared });
      subscriptions.add(subscription);
      return subscription;
    },
    readRange: (range) => readRange(database, range),
    offsets: async (topic) => readLog(database, (file) => readOffsets(file, topic)),
    createTopics: async (topics, { grow }) => {
      const creating = topics.map((spec) =>
        database.write((file) => createTopic(file, spec, grow)),
      );
      const reports = await writeLog(Promise.all(creating));
      wakeups.notify();
      return reports;
    },
    lag: async (topic, group) =>
      readLog(database, (file) => readLag(file, topic, group, clock.now())),
    ping: async ({ deadlineMs }) => {
      const writing = database.write(() => {}); // takes the lock, and changes nothing
      await writeLog(withDeadline("the event log's file", deadlineMs, writing));
    },
    close: () => {
      closing ??= closeAll();
      return closing;
    },
    [Symbol.asyncDispose]: () => eventLog.close(),
  };
  return eventLog;
}
