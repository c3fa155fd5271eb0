import { expect, test } from "bun:test";
import { eventually } from "../../support/eventually.ts";
import { EventLogReader } from "../support/event-log-reader.ts";
import { numbered, publishTexts, readAll, textOf } from "../support/event-log-records.ts";
import type { EventLogHarness } from "./event-log-harness.ts";
import { newName, useEventLog } from "./event-log-harness.ts";

export function testEventLogRanges(harness: EventLogHarness): void {
  const scope = useEventLog(harness);

  test("a range holds the records from its first offset up to, not including, its last", async () => {
    const topic = await scope.newTopic();
    await publishTexts(scope.log, topic, numbered("text", 10));
    const read = await readAll(scope.log, topic, 0, 3, 6);
    expect(read.map(textOf)).toEqual(["text 3", "text 4", "text 5"]);
    expect(read.map(({ offset }) => offset)).toEqual([3, 4, 5]);
  });

  test("a range ends at the end of the partition", async () => {
    const topic = await scope.newTopic();
    await publishTexts(scope.log, topic, numbered("text", 3));
    expect(await readAll(scope.log, topic, 0, 1, 99)).toHaveLength(2);
    expect(await readAll(scope.log, topic, 0, 3, 99)).toEqual([]);
  });

  test("a long range comes whole and in order", async () => {
    const topic = await scope.newTopic();
    for (let call = 0; call < 3; call += 1) {
      await publishTexts(scope.log, topic, numbered(`call ${call}:`, 700));
    }
    const read = await readAll(scope.log, topic);
    expect(read.map(({ offset }) => offset)).toEqual(Array.from({ length: 2_100 }, (_, at) => at));
  });

  test("a range that is aborted throws the reason", async () => {
    const topic = await scope.newTopic();
    await publishTexts(scope.log, topic, numbered("text", 3));
    const abort = new AbortController();
    const read: string[] = [];
    const reading = async () => {
      const { signal } = abort;
      for await (const record of scope.log.readRange({
        topic,
        partition: 0,
        from: 0,
        to: 3,
        signal,
      })) {
        read.push(textOf(record));
        abort.abort(new Error("enough"));
      }
    };
    await expect(reading()).rejects.toThrow("enough");
    expect(read).toEqual(["text 0"]);
  });

  test("offsets say what exists in each partition", async () => {
    const topic = await scope.newTopic({ partitions: 2 });
    const [at] = await publishTexts(scope.log, topic, ["a"], "key");
    const expected = [0, 1].map((partition) => ({
      partition,
      earliest: 0,
      next: partition === at?.partition ? 1 : 0,
    }));
    expect(await scope.log.offsets(topic)).toEqual(expected);
  });

  test("what retention removed is neither in the offsets nor in a range", async () => {
    const topic = await scope.newTopic();
    await publishTexts(scope.log, topic, numbered("text", 5));
    await harness.truncate(topic, 2);
    expect(await scope.log.offsets(topic)).toEqual([{ partition: 0, earliest: 2, next: 5 }]);
    expect((await readAll(scope.log, topic, 0, 2)).map(textOf)).toEqual([
      "text 2",
      "text 3",
      "text 4",
    ]);
  });

  test("offsets, lag and a range of a topic that does not exist are topic_missing", async () => {
    const topic = newName("missing");
    const code = "topic_missing";
    await expect(scope.log.offsets(topic)).rejects.toMatchObject({ code });
    await expect(scope.log.lag(topic, "group")).rejects.toMatchObject({ code });
    await expect(readAll(scope.log, topic)).rejects.toMatchObject({ code });
  });

  test("lag counts what a group has not committed, and says how old it is", async () => {
    const topic = await scope.newTopic();
    const group = newName("group");
    await publishTexts(scope.log, topic, numbered("text", 4), "key");
    expect(await scope.log.lag(topic, group)).toMatchObject([
      { partition: 0, committed: 0, records: 4 },
    ]);
    await using reader = await EventLogReader.open(scope.log, {
      topic,
      group,
      blocks: (text) => text === "text 3",
    });
    await reader.untilFinished(3);
    const behind = await eventually("three records are committed, and one grows old", async () => {
      const [lag] = await scope.log.lag(topic, group);
      return lag?.committed === 3 && lag.seconds >= 1 && lag;
    });
    expect(behind.records).toBe(1);
    expect(behind.seconds).toBeLessThan(60);
    reader.releaseAll();
    const done = await eventually("all is committed", async () => {
      const [lag] = await scope.log.lag(topic, group);
      return lag?.committed === 4 && lag;
    });
    expect(done).toEqual({ partition: 0, committed: 4, records: 0, seconds: 0 });
  });
}
