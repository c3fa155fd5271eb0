import type { Log } from "../../../core/log.ts";
import type { SqliteDatabase } from "../../../core/sqlite/database.ts";
import type { Clock } from "../../../core/time.ts";
import { systemClock, withDeadline } from "../../../core/time.ts";
import type { EventLog, Subscription } from "../event-log.ts";
import type { GroupTimings } from "./group-member.ts";
import { readLag } from "./membership.ts";
import { readRange, SqlitePublisher } from "./records.ts";
import { openSqliteSubscription, SqliteWakeups } from "./subscription.ts";
import { createTopic, eventLogSchema, readLog, readOffsets, writeLog } from "./topics.ts";
import { SqliteTrimmer } from "./trimmer.ts";

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
