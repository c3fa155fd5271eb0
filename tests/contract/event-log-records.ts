import { describe, expect, test } from "bun:test";
import type { OutgoingRecord, RecordHeaders } from "../../src/email/event-log/event-log.ts";
import { eventually } from "../../support/eventually.ts";
import { spawnEventLogChild } from "../support/event-log-child.ts";
import {
  EventLogReader,
  numbered,
  publishTexts,
  readAll,
  textOf,
  textRecord,
} from "../support/event-logs.ts";
import type { ContractScope, EventLogHarness } from "./event-log-harness.ts";
import { newName, recordBytesMax, topicSpec, useEventLog } from "./event-log-harness.ts";

const deadlineMs = 10_000;

/** What is on the log: publishing, ranges and lag, topics. */
export function testEventLogRecords(harness: EventLogHarness): void {
  const scope = useEventLog(harness);
  describe("publishing", () => testPublishing(scope));
  describe("ranges and lag", () => testRanges(scope));
  describe("topics", () => testTopics(scope));
}

function testPublishing(scope: ContractScope): void {
  const { harness } = scope;
  testContents(scope);
  testPlacing(scope);
  testSizes(scope);

  test("a topic that does not exist is topic_missing", async () => {
    const publishing = publishTexts(scope.log, newName("missing"), ["a"]);
    await expect(publishing).rejects.toMatchObject({ code: "topic_missing" });
  });

  test("what was acknowledged survives kill -9 of the process that published it", async () => {
    const topic = await scope.newTopic();
    await using child = spawnEventLogChild({
      address: harness.childAddress,
      topic,
      publish: ["a", "b"],
    });
    await child.printed("published", 2);
    await child.kill();
    expect((await readAll(scope.log, topic)).map(textOf)).toEqual(["a", "b"]);
  });
}

function testContents(scope: ContractScope): void {
  async function roundTrip(record: OutgoingRecord) {
    const topic = await scope.newTopic();
    await scope.log.publish(topic, [record], { deadlineMs });
    const [read] = await readAll(scope.log, topic);
    if (read === undefined) throw new Error("the record is not there");
    return { topic, read };
  }

  test("a record is read as it was published, with its place and time", async () => {
    const before = Date.now();
    const key = new Uint8Array([0, 255, 10]);
    const value = new Uint8Array([255, 0, 128, 13]);
    const { topic, read } = await roundTrip({ key, value, headers: [["a", value]] });
    expect([...(read.key ?? [])]).toEqual([...key]);
    expect([...(read.value ?? [])]).toEqual([...value]);
    expect(plain(read.headers)).toEqual([["a", [...value]]]);
    expect(read).toMatchObject({ topic, partition: 0, offset: 0 });
    expect(["CreateTime", "LogAppendTime"]).toContain(read.timestampType);
    expect(Math.abs(read.timestamp - before)).toBeLessThan(30_000);
  });

  test("a key and a value may be null, which is not the same as empty", async () => {
    const { read } = await roundTrip({ key: null, value: null, headers: [] });
    expect(read).toMatchObject({ key: null, value: null, headers: [] });
    const { read: empty } = await roundTrip({
      key: new Uint8Array(),
      value: new Uint8Array(),
      headers: [],
    });
    expect(empty.key).toHaveLength(0);
    expect(empty.value).toHaveLength(0);
  });

  test("header names may repeat and keep their order; a header value may be null", async () => {
    const text = (content: string) => Buffer.from(content);
    const headers: RecordHeaders = [
      ["b", text("1")],
      ["2", text("integer-like")],
      ["a", null],
      ["b", text("")],
      ["1", text("é ü")],
      ["b", text("3")],
      ["a", text("last")],
    ];
    const { read } = await roundTrip({ key: null, value: text("x"), headers });
    expect(plain(read.headers)).toEqual(plain(headers));
  });
}

function testPlacing(scope: ContractScope): void {
  test("positions come in the order of the records, and say where each one is", async () => {
    const topic = await scope.newTopic({ partitions: 3 });
    const texts = numbered("text", 60);
    const positions = await publishTexts(scope.log, topic, texts);
    for (const partition of [0, 1, 2]) {
      for (const record of await readAll(scope.log, topic, partition)) {
        const index = texts.indexOf(textOf(record));
        expect(positions[index]).toEqual({ topic, partition, offset: record.offset });
      }
    }
    expect(positions).toHaveLength(60);
  });

  test("one key's records keep the order of the calls, also when nobody waits in between", async () => {
    const topic = await scope.newTopic({ partitions: 3 });
    const texts = numbered("text", 100);
    const calls = texts.map((text) => publishTexts(scope.log, topic, [text], "one key"));
    const [first] = (await Promise.all(calls)).flat();
    const read = await readAll(scope.log, topic, first?.partition);
    expect(read.map(textOf)).toEqual([...texts]);
  });

  test("a key's partition is the one that Kafka's Java client chooses", async () => {
    const topic = await scope.newTopic({ partitions: 3 });
    const keys = [
      "21",
      "foobar",
      "a-little-bit-long-string",
      "abc",
      "lkjh234lh9fiuh90y23oiuhsafujhadof229phr9h19h89h8",
    ];
    const positions = await publishTexts(scope.log, topic, keys);
    // murmur2 of these keys as in Kafka's own UtilsTest
    const hashes = [-973932308, -790332482, -985981536, 479470107, -58897971];
    const expected = hashes.map((hash) => (hash & 0x7fffffff) % 3);
    expect(positions.map(({ partition }) => partition)).toEqual(expected);
  });

  test("records without a key are spread over the partitions", async () => {
    const topic = await scope.newTopic({ partitions: 3 });
    const positions = await publishTexts(scope.log, topic, numbered("text", 30), null);
    const counts = Object.groupBy(positions, ({ partition }) => partition);
    expect(Object.values(counts).map((all) => all?.length)).toEqual([10, 10, 10]);
  });
}

function testSizes(scope: ContractScope): void {
  const bytes = (length: number) => new Uint8Array(length).fill(7);

  test("a record up to the size of the topic less 1 KiB for its framing is taken", async () => {
    const topic = await scope.newTopic();
    const key = bytes(1_024);
    const headers: RecordHeaders = [["header", bytes(1_018)]];
    const value = bytes(recordBytesMax - 3 * 1_024);
    await scope.log.publish(topic, [{ key, value, headers }], { deadlineMs });
    const [read] = await readAll(scope.log, topic);
    expect(read?.value?.byteLength).toBe(value.byteLength);
  });

  test("a larger one is record_too_large, and does not take others with it", async () => {
    const topic = await scope.newTopic();
    const large = { key: null, value: bytes(recordBytesMax + 1), headers: [] };
    const outcomes = await Promise.allSettled([
      publishTexts(scope.log, topic, ["before"]),
      scope.log.publish(topic, [large], { deadlineMs }),
      scope.log.publish(topic, [textRecord("x", "after")], { deadlineMs }),
    ]);
    expect(outcomes.map(({ status }) => status)).toEqual(["fulfilled", "rejected", "fulfilled"]);
    expect(outcomes[1]).toMatchObject({ reason: { code: "record_too_large", retryable: false } });
    expect((await readAll(scope.log, topic)).map(textOf)).toEqual(["before", "after"]);
  });
}

function plain(headers: RecordHeaders): [string, number[] | null][] {
  return headers.map(([name, value]) => [name, value === null ? null : [...value]]);
}

function testRanges(scope: ContractScope): void {
  const { harness } = scope;

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
    const owner = expect.any(String);
    expect(done).toEqual({ partition: 0, owner, committed: 4, records: 0, seconds: 0 });
  });
}

function testTopics(scope: ContractScope): void {
  const { harness } = scope;
  const partitionsOf = async (topic: string) => (await scope.log.offsets(topic)).length;

  test("what is missing is created, what is there is reported", async () => {
    const first = topicSpec(newName("topic"), { partitions: 3 });
    const second = topicSpec(newName("topic"));
    const [created] = await scope.log.createTopics([first], { grow: false });
    expect(created).toEqual({
      topic: first.topic,
      outcome: "created",
      partitions: 3,
      differences: [],
    });
    const again = await scope.log.createTopics([first, second], { grow: false });
    expect(again.map(({ outcome, differences }) => [outcome, differences])).toEqual([
      ["exists", []],
      ["created", []],
    ]);
    expect(await partitionsOf(first.topic)).toBe(3);
  });

  test("what differs from the spec is said in words, and left as it is", async () => {
    const spec = topicSpec(newName("topic"), { partitions: 2 });
    await scope.log.createTopics([spec], { grow: false });
    const wanted = {
      ...spec,
      partitions: 4,
      retentionMs: spec.retentionMs * 2,
      recordBytesMax: spec.recordBytesMax * 2,
    };
    const [report] = await scope.log.createTopics([wanted], { grow: false });
    expect(report).toMatchObject({ outcome: "exists", partitions: 2 });
    expect(report?.differences).toHaveLength(3);
    expect(report?.differences.join("; ")).toMatch(/partitions/);
    expect(await partitionsOf(spec.topic)).toBe(2);
  });

  test("partitions are added only when asked, and never taken away", async () => {
    const spec = topicSpec(newName("topic"));
    await scope.log.createTopics([spec], { grow: false });
    const [grown] = await scope.log.createTopics([{ ...spec, partitions: 3 }], { grow: true });
    expect(grown).toMatchObject({ outcome: "grown", partitions: 3, differences: [] });
    expect(await partitionsOf(spec.topic)).toBe(3);
    const [smaller] = await scope.log.createTopics([spec], { grow: true });
    expect(smaller).toMatchObject({ outcome: "exists", partitions: 3 });
    expect(smaller?.differences).toHaveLength(1);
  });

  test("processes that create the same topics together all find them there", async () => {
    await using other = await harness.open();
    const spec = topicSpec(newName("topic"), { partitions: 2 });
    const reports = await Promise.all(
      [scope.log, other].map((log) => log.createTopics([spec], { grow: false })),
    );
    const outcomes = reports.flat().map(({ outcome }) => outcome);
    expect(outcomes.toSorted()).toEqual(["created", "exists"]);
  });

  test("the log answers a ping, and says its address", async () => {
    await scope.log.ping({ deadlineMs: 5_000 });
    expect(scope.log.address).not.toBe("");
  });
}
