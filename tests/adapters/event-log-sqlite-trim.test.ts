import { expect, test } from "bun:test";
import { join } from "node:path";
import type { EventLog } from "../../src/email/event-log/event-log.ts";
import { eventually } from "../../support/eventually.ts";
import { temporaryDirectory } from "../../support/temporary-directory.ts";
import { topicSpec } from "../contract/event-log-harness.ts";
import { openEmbeddedEventLog } from "../support/embedded-event-log.ts";
import { EventLogReader } from "../support/event-log-reader.ts";
import { numbered, publishTexts } from "../support/event-log-records.ts";
import { FakeClock } from "../support/fake-clock.ts";

const minute = 60_000;
const hour = 60 * minute;
const topic = "topic";

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
