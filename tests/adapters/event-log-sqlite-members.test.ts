import { Database } from "bun:sqlite";
import { expect, setDefaultTimeout, test } from "bun:test";
import { join } from "node:path";
import { createLog } from "../../src/core/log.ts";
import { eventually } from "../../support/eventually.ts";
import { temporaryDirectory } from "../../support/temporary-directory.ts";
import { newName, topicSpec } from "../contract/event-log-harness.ts";
import { openEmbeddedEventLog } from "../support/embedded-event-log.ts";
import { EventLogReader } from "../support/event-log-reader.ts";
import { numbered, publishTexts } from "../support/event-log-records.ts";
import { FakeClock } from "../support/fake-clock.ts";
import { spawnEventLogChild } from "../support/spawn-event-log-child.ts";

setDefaultTimeout(60_000);

const topic = "topic";
const group = "group";

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
  const children = () => [...one.lines, ...two.lines].filter((line) => line.startsWith("finished"));
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
