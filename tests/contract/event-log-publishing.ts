import { expect, test } from "bun:test";
import type { OutgoingRecord, RecordHeaders } from "../../src/email/event-log/event-log.ts";
import {
  numbered,
  publishTexts,
  readAll,
  textOf,
  textRecord,
} from "../support/event-log-records.ts";
import { spawnEventLogChild } from "../support/spawn-event-log-child.ts";
import type { ContractScope, EventLogHarness } from "./event-log-harness.ts";
import { newName, recordBytesMax, useEventLog } from "./event-log-harness.ts";

const deadlineMs = 10_000;

export function testEventLogPublishing(harness: EventLogHarness): void {
  const scope = useEventLog(harness);
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
  const { features } = scope.harness;

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
    const perName = (all: RecordHeaders) => Object.groupBy(plain(all), ([name]) => name);
    expect(perName(read.headers)).toEqual(perName(headers));
    if (features.headerOrder === "kept") expect(plain(read.headers)).toEqual(plain(headers));
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
