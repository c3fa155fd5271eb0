import { Database } from "bun:sqlite";
import { describe, expect, setDefaultTimeout, test } from "bun:test";
import { join } from "node:path";
import { coreErrors, InstantError } from "../../src/core/errors.ts";
import { createLog, silentLog } from "../../src/core/log.ts";
import { openSqlite } from "../../src/core/sqlite/database.ts";
import { systemClock } from "../../src/core/time.ts";
import type { EventLog } from "../../src/email/event-log/event-log.ts";
import type { PartitionOffset } from "../../src/email/event-log/flow/assignment.ts";
import { SqliteGroupMember } from "../../src/email/event-log/sqlite/group-member.ts";
import { openSqliteEventLog } from "../../src/email/event-log/sqlite/sqlite.ts";
import { eventually } from "../../support/eventually.ts";
import { temporaryDirectory } from "../../support/temporary-directory.ts";
import { newName, topicSpec } from "../contract/event-log-harness.ts";
import { spawnEventLogChild } from "../support/event-log-child.ts";
import {
  EventLogReader,
  numbered,
  openEmbeddedEventLog,
  publishTexts,
} from "../support/event-logs.ts";
import { FakeClock } from "../support/fake-clock.ts";

setDefaultTimeout(60_000);

const topic = "topic";
const group = "group";

describe("members", () => {
  /** A file with one topic, opened as one process would. */
  async function openFile(partitions: number) {
    const directory = temporaryDirectory();
    const path = join(directory.path, "events.sqlite");
    const log = await openEmbeddedEventLog(path);
    await log.createTopics([topicSpec(topic, { partitions })], { grow: false });
    return {
      path,
      log,
      [Symbol.asyncDispose]: async () => {
        await log.close();
        directory[Symbol.dispose]();
      },
    };
  }

  /** A member that does not heartbeat or look at the file after it joined, until its process writes. */
  async function openFrozen(path: string) {
    const hour = 3_600_000;
    const log = await openEmbeddedEventLog(path, { timings: { heartbeatMs: hour, pollMs: hour } });
    const reader = await EventLogReader.open(log, { topic, group, blocks: () => true });
    return {
      log,
      reader,
      [Symbol.asyncDispose]: async () => {
        await reader.stop();
        await log.close();
      },
    };
  }

  test("a member that was frozen and replaced cannot commit", async () => {
    await using file = await openFile(1);
    const { log } = file;
    await publishTexts(log, topic, numbered("text", 5));
    await using frozen = await openFrozen(file.path);
    await frozen.reader.untilStarted(5);
    await using other = await EventLogReader.open(log, {
      topic,
      group,
      blocks: (text) => text === "text 3",
    });
    await other.untilFinished(4);
    await eventually("what the other finished is committed", async () => {
      const [lag] = await log.lag(topic, group);
      return lag?.committed === 3;
    });
    frozen.reader.releaseAll();
    await frozen.reader.untilFinished(5);
    await frozen.reader.stop(); // commits what it may
    expect(await log.lag(topic, group)).toMatchObject([{ committed: 3, records: 2 }]);
  });

  test("a member that was replaced learns it, and joins anew", async () => {
    await using file = await openFile(2);
    await using frozen = await openFrozen(file.path);
    await frozen.reader.untilPartitions(2, 5_000);
    await using other = await EventLogReader.open(file.log, { topic, group });
    await other.untilPartitions(2, 10_000);
    expect(frozen.reader.subscription.stats.partitions).toEqual([0, 1]);
    await publishTexts(frozen.log, topic, ["woken"]);
    await frozen.reader.untilPartitions(0, 5_000);
    await other.untilPartitions(1, 5_000);
    await publishTexts(frozen.log, topic, ["woken again"]);
    await frozen.reader.untilPartitions(1, 5_000);
  });

  test("processes on one file share the work, and each record is handled once", async () => {
    await using file = await openFile(6);
    const { log } = file;
    await using reader = await EventLogReader.open(log, { topic, group });
    const address = `sqlite:${file.path}`;
    const read = { group, finish: 1_000 };
    await using one = spawnEventLogChild({ address, topic, publish: [], read });
    await using two = spawnEventLogChild({ address, topic, publish: [], read });
    await reader.untilPartitions(2, 10_000);
    await publishTexts(log, topic, numbered("text", 300));
    const children = () =>
      [...one.lines, ...two.lines].filter((line) => line.startsWith("finished"));
    await eventually("all is committed", async () => {
      const lags = await log.lag(topic, group);
      return lags.every(({ records }) => records === 0);
    });
    const places = reader.records.map(({ partition, offset }) => `finished ${partition} ${offset}`);
    expect([...places, ...children()]).toHaveLength(300);
    expect(new Set([...places, ...children()]).size).toBe(300);
    expect(one.lines.length).toBeGreaterThan(0);
    expect(two.lines.length).toBeGreaterThan(0);
  });

  test("a record that another process published is handled within 100 ms", async () => {
    await using file = await openFile(1);
    await using reader = await EventLogReader.open(file.log, { topic, group });
    await reader.untilPartitions(1, 5_000);
    await using otherLog = await openEmbeddedEventLog(file.path);
    const delays: number[] = [];
    for (let round = 1; round <= 7; round += 1) {
      await publishTexts(otherLog, topic, [newName("text")]);
      const publishedAt = performance.now();
      await reader.untilFinished(round);
      delays.push(performance.now() - publishedAt);
    }
    const median = delays.toSorted((a, b) => a - b)[3];
    expect(median).toBeLessThan(100);
  });

  test("a subscription takes the partitions that a topic grew by", async () => {
    await using file = await openFile(1);
    await using reader = await EventLogReader.open(file.log, { topic, group });
    await reader.untilPartitions(1, 5_000);
    await using otherLog = await openEmbeddedEventLog(file.path);
    await otherLog.createTopics([topicSpec(topic, { partitions: 3 })], { grow: true });
    await reader.untilPartitions(3, 5_000);
    await publishTexts(otherLog, topic, numbered("text", 9), null);
    expect(await reader.untilFinished(9)).toHaveLength(9);
  });

  test("a lock that another process holds for a while delays, and loses nothing", async () => {
    await using file = await openFile(1);
    await using reader = await EventLogReader.open(file.log, { topic, group });
    await reader.untilPartitions(1, 5_000);
    using locker = new Database(file.path);
    locker.run("BEGIN IMMEDIATE");
    const publishing = publishTexts(file.log, topic, ["text"]);
    await Bun.sleep(600); // longer than SQLite's own busy timeout of 250 ms
    locker.run("ROLLBACK");
    await publishing;
    expect(await reader.untilFinished(1)).toEqual(["text"]);
  });

  test("a file that is locked just as it is read is read again", async () => {
    await using file = await openFile(1);
    await using database = await openSqlite(file.path);
    let locked = 0;
    const read: typeof database.read = (query) => {
      if (locked > 0) {
        locked -= 1;
        throw new InstantError(coreErrors.sqliteBusy);
      }
      return database.read(query);
    };
    const options = { log: silentLog, timings: { heartbeatMs: 200 } };
    await using log = await openSqliteEventLog({ ...database, read }, options);
    await using reader = await EventLogReader.open(log, { topic, group });
    await reader.untilPartitions(1, 5_000);
    locked = 5;
    await publishTexts(file.log, topic, ["text"]);
    expect(await reader.untilFinished(1)).toEqual(["text"]);
    expect(locked).toBe(0);
  });

  test("a topic that is missing is said at once, and again every 10 s", async () => {
    using directory = temporaryDirectory();
    const clock = new FakeClock();
    const lines: string[] = [];
    const log = createLog({ service: "test", level: "warn", write: (line) => lines.push(line) });
    const path = join(directory.path, "events.sqlite");
    await using eventLog = await openEmbeddedEventLog(path, { clock, log });
    await using _reader = await EventLogReader.open(eventLog, { topic, group });
    const said = (count: number) => eventually(`${count} lines`, () => lines.length === count);
    await said(1);
    await clock.advance(9_000);
    await Bun.sleep(150); // a heartbeat
    expect(lines).toHaveLength(1);
    await clock.advance(1_000);
    await said(2);
    expect(lines[1]).toContain(topic);
  });
});

describe("a hand-over", () => {
  test("a partition is handed over together with what was finished of it", async () => {
    using directory = temporaryDirectory();
    await using database = await openSqlite(join(directory.path, "events.sqlite"));
    await using log = await openSqliteEventLog(database, { log: silentLog });
    await log.createTopics([topicSpec(topic, { partitions: 2 })], { grow: false });
    await publishTexts(log, topic, numbered("text", 20), null);
    const finished: readonly PartitionOffset[] = [
      { partition: 0, offset: 3 },
      { partition: 1, offset: 4 },
    ];

    const openMember = () => {
      const starts = new Map<number, number>();
      const member = new SqliteGroupMember({
        database,
        member: { topic, group, token: crypto.randomUUID() },
        timings: { heartbeatMs: 1, sessionMs: 60_000 },
        clock: systemClock,
        log: silentLog,
        onGained: (_, holdings) => {
          for (const { partition, start } of holdings) starts.set(partition, start);
        },
        onLost: (partitions) => {
          for (const partition of partitions) starts.delete(partition);
        },
        uncommitted: () => finished.filter(({ partition }) => starts.has(partition)),
        markCommitted: () => {},
        onFailure: (error) => {
          throw error;
        },
      });
      const holds = (count: number) =>
        eventually(`it holds ${count}`, () => {
          member.onWakeup(true);
          return starts.size === count;
        });
      return { starts, holds };
    };

    const first = openMember();
    await first.holds(2);
    expect([...first.starts]).toEqual([
      [0, 0],
      [1, 0],
    ]);
    const second = openMember();
    await second.holds(0);
    await first.holds(1);
    await second.holds(1);
    expect([...second.starts]).toEqual([[1, 4]]);
  });
});

describe("trimming", () => {
  const minute = 60_000;
  const hour = 60 * minute;

  async function openLog() {
    const directory = temporaryDirectory();
    const clock = new FakeClock();
    const log = await openEmbeddedEventLog(join(directory.path, "events.sqlite"), { clock });
    await log.createTopics([topicSpec(topic, { retentionMs: 24 * hour })], { grow: false });
    return {
      log,
      clock,
      [Symbol.asyncDispose]: async () => {
        await log.close();
        directory[Symbol.dispose]();
      },
    };
  }

  /** Reads what is there up to, not including, `until`, and leaves the group. */
  async function readUntil(log: EventLog, group: string, until: string): Promise<void> {
    await using reader = await EventLogReader.open(log, {
      topic,
      group,
      blocks: (text) => text === until,
    });
    await eventually("it came so far", () => reader.blocked.length > 0);
  }

  async function earliest(log: EventLog): Promise<number | undefined> {
    const [partition] = await log.offsets(topic);
    return partition?.earliest;
  }

  async function untilEarliest(log: EventLog, offset: number): Promise<void> {
    await eventually(
      `the earliest record is ${offset}`,
      async () => (await earliest(log)) === offset,
    );
  }

  test("records behind every group go once they are older than the retention", async () => {
    await using opened = await openLog();
    const { log, clock } = opened;
    await publishTexts(log, topic, numbered("old", 500), "key");
    await readUntil(log, "first", "old 450");
    await readUntil(log, "second", "old 300");
    await clock.advance(23 * hour);
    expect(await earliest(log)).toBe(0);
    await clock.advance(hour + 10 * minute);
    await untilEarliest(log, 300);
  });

  test("records that are younger than the retention stay", async () => {
    await using opened = await openLog();
    const { log, clock } = opened;
    await publishTexts(log, topic, numbered("old", 3), "key");
    await clock.advance(12 * hour);
    await publishTexts(log, topic, numbered("young", 3), "key");
    await readUntil(log, "group", "young 2");
    await clock.advance(13 * hour);
    await untilEarliest(log, 3);
  });

  test("what the only group has not read stays, however old", async () => {
    await using opened = await openLog();
    const { log, clock } = opened;
    await publishTexts(log, topic, numbered("text", 3), "key");
    await readUntil(log, "group", "text 1");
    await clock.advance(50 * hour);
    await untilEarliest(log, 1);
    await clock.advance(50 * hour);
    expect(await earliest(log)).toBe(1);
  });

  test("a group that was left for another one is forgotten after the retention", async () => {
    await using opened = await openLog();
    const { log, clock } = opened;
    await publishTexts(log, topic, numbered("text", 3), "key");
    await readUntil(log, "left", "text 1");
    await clock.advance(20 * hour);
    await readUntil(log, "used", "text 2");
    await clock.advance(5 * hour);
    await untilEarliest(log, 2);
  });

  test("a topic that no group reads is trimmed by age alone", async () => {
    await using opened = await openLog();
    const { log, clock } = opened;
    await publishTexts(log, topic, numbered("text", 3));
    await clock.advance(25 * hour);
    await untilEarliest(log, 3);
    await publishTexts(log, topic, ["next"]);
    expect(await log.offsets(topic)).toMatchObject([{ earliest: 3, next: 4 }]);
  });
});
