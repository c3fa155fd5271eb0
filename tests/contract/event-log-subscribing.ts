import { expect, test } from "bun:test";
import { eventually } from "../../support/eventually.ts";
import { EventLogReader, numbered, publishTexts, textRecord } from "../support/event-logs.ts";
import { handleEach } from "../support/handle-each.ts";
import type { ContractScope, EventLogHarness } from "./event-log-harness.ts";
import { newName, topicSpec, useEventLog } from "./event-log-harness.ts";

export function testEventLogSubscribing(harness: EventLogHarness): void {
  const scope = useEventLog(harness);
  testLanes(scope);
  testPauses(scope);
  testBounds(scope);
  testOutages(scope);

  test("a new group starts at the earliest record, and goes on with what comes later", async () => {
    const topic = await scope.newTopic();
    await publishTexts(scope.log, topic, ["a", "b"], "key");
    await using reader = await EventLogReader.open(scope.log, { topic, group: newName("group") });
    await reader.untilFinished(2);
    await publishTexts(scope.log, topic, ["c"], "key");
    expect(await reader.untilFinished(3)).toEqual(["a", "b", "c"]);
  });

  test("a handler gets the record as it is on the log", async () => {
    const topic = await scope.newTopic();
    const value = new Uint8Array([0, 200, 255]);
    const record = { key: null, value, headers: [["name", null] as const] };
    await scope.log.publish(topic, [record], { deadlineMs: 10_000 });
    await using reader = await EventLogReader.open(scope.log, { topic, group: newName("group") });
    await reader.untilFinished(1);
    const [read] = reader.records;
    expect(read).toMatchObject({ topic, partition: 0, offset: 0, key: null });
    expect(read?.headers.map((header) => [...header])).toEqual([["name", null]]);
    expect([...(read?.value ?? [])]).toEqual([...value]);
  });

  test("a topic that is not there yet is waited for", async () => {
    const spec = topicSpec(newName("topic"));
    await using reader = await EventLogReader.open(scope.log, {
      topic: spec.topic,
      group: newName("group"),
    });
    expect(reader.subscription.stats.partitions).toEqual([]);
    await scope.log.createTopics([spec], { grow: false });
    await publishTexts(scope.log, spec.topic, ["a"]);
    expect(await reader.untilFinished(1)).toEqual(["a"]);
  });

  test("a handler that rejects fails the subscription, and its record comes again", async () => {
    const topic = await scope.newTopic();
    const group = newName("group");
    await publishTexts(scope.log, topic, ["fine", "broken"], "key");
    const subscription = await scope.log.subscribe({
      topic,
      group,
      handle: handleEach(async ({ offset }) => {
        if (offset === 1) throw new Error("a bug");
      }),
    });
    await expect(subscription.failed).rejects.toThrow("a bug");
    await subscription.stop({ drainMs: 0 });
    await using reader = await EventLogReader.open(scope.log, { topic, group });
    expect(await reader.untilFinished(1)).toEqual(["broken"]);
  });
}

function testLanes(scope: ContractScope): void {
  test("one key's records are handled one after the other while other keys go on", async () => {
    const topic = await scope.newTopic();
    const records = ["a 0", "b 0", "a 1", "b 1", "a 2"].map((text) =>
      textRecord(text.slice(0, 1), text),
    );
    await scope.log.publish(topic, records, { deadlineMs: 10_000 });
    await using reader = await EventLogReader.open(scope.log, {
      topic,
      group: newName("group"),
      blocks: (text) => text === "a 0",
    });
    await reader.untilFinished(2);
    expect(reader.started.toSorted()).toEqual(["a 0", "b 0", "b 1"]);
    reader.releaseAll();
    const finished = await reader.untilFinished(5);
    expect(finished.filter((text) => text.startsWith("a"))).toEqual(["a 0", "a 1", "a 2"]);
  });

  test("records without a key do not wait for each other", async () => {
    const topic = await scope.newTopic();
    await publishTexts(scope.log, topic, numbered("text", 5), null);
    await using reader = await EventLogReader.open(scope.log, {
      topic,
      group: newName("group"),
      blocks: (text) => text === "text 0",
    });
    expect(await reader.untilFinished(4)).not.toContain("text 0");
    reader.releaseAll();
    await reader.untilFinished(5);
  });
}

function testPauses(scope: ContractScope): void {
  const { rebalanceMsMax } = scope.harness.features;

  test("while paused nothing starts, what is in flight goes on, also across a rebalance", async () => {
    const topic = await scope.newTopic({ partitions: 2 });
    const group = newName("group");
    await publishTexts(scope.log, topic, ["held"]);
    await using reader = await EventLogReader.open(scope.log, { topic, group, blocks: () => true });
    await reader.untilStarted(1);
    reader.subscription.pause();
    expect(reader.subscription.stats.paused).toBe(true);
    await publishTexts(scope.log, topic, numbered("later", 20));
    await using otherLog = await scope.harness.open();
    await using other = await EventLogReader.open(otherLog, { topic, group });
    await reader.untilPartitions(1, rebalanceMsMax);
    await other.stop();
    await reader.untilPartitions(2, rebalanceMsMax);
    reader.releaseAll();
    expect(await reader.untilFinished(1)).toEqual(["held"]);
    await eventually(
      "records are received and wait",
      () => reader.subscription.stats.unfinished > 0,
    );
    expect(reader.started).toEqual(["held"]);
    reader.subscription.resume();
    await eventually("every record is finished by one of the two", () => {
      const finished = new Set([...reader.finished, ...other.finished]);
      return finished.size === 21;
    });
    expect(reader.subscription.stats.paused).toBe(false);
  });
}

function testBounds(scope: ContractScope): void {
  test("no more records than the bound are unfinished, and none is lost to it", async () => {
    const topic = await scope.newTopic();
    const texts = numbered("text", 40);
    await publishTexts(scope.log, topic, texts);
    await using reader = await EventLogReader.open(scope.log, {
      topic,
      group: newName("group"),
      unfinishedMax: 5,
      blocks: () => true,
    });
    while (reader.finished.length < 40) {
      await eventually("records are in flight", () => reader.blocked.length > 0);
      expect(reader.subscription.stats.unfinished).toBeLessThanOrEqual(5);
      const [text = ""] = reader.blocked;
      const count = reader.finished.length;
      reader.release(text);
      await reader.untilFinished(count + 1);
    }
    expect(reader.finished.toSorted()).toEqual(texts.toSorted());
  });

  test("an unfinished record lets the others go on only so far", async () => {
    const topic = await scope.newTopic();
    await publishTexts(scope.log, topic, numbered("text", 40));
    await using reader = await EventLogReader.open(scope.log, {
      topic,
      group: newName("group"),
      offsetsBeyondLowWatermarkMax: 10,
      blocks: (text) => text === "text 0",
    });
    await reader.untilFinished(9);
    expect(Math.max(...reader.records.map(({ offset }) => offset))).toBe(9);
    reader.releaseAll();
    await reader.untilFinished(40);
    expect(reader.finished).toHaveLength(40);
  });
}

function testOutages(scope: ContractScope): void {
  const { harness } = scope;

  test("a publish that is not acknowledged in time is log_unavailable at its deadline", async () => {
    await using log = await harness.openUnavailable();
    const startedAt = performance.now();
    const publishing = log.publish(
      newName("topic"),
      [{ key: null, value: Buffer.from("x"), headers: [] }],
      { deadlineMs: 400 },
    );
    await expect(publishing).rejects.toMatchObject({ code: "log_unavailable", retryable: true });
    expect(performance.now() - startedAt).toBeLessThan(1_500);
  });

  test("a ping of a log that does not answer is log_unavailable at its deadline", async () => {
    await using log = await harness.openUnavailable();
    const startedAt = performance.now();
    const pinging = log.ping({ deadlineMs: 400 });
    await expect(pinging).rejects.toMatchObject({ code: "log_unavailable" });
    expect(performance.now() - startedAt).toBeLessThan(1_500);
  });

  test("a subscription to a log that does not answer waits, says why, and can be stopped", async () => {
    await using log = await harness.openUnavailable();
    const topic = newName("topic");
    const reader = await EventLogReader.open(log, { topic, group: newName("group") });
    expect(reader.subscription.stats).toEqual({
      inFlight: 0,
      unfinished: 0,
      deferred: 0,
      paused: false,
      partitions: [],
      problem: expect.any(String),
    });
    const state = await Promise.race([
      reader.subscription.failed.catch(() => "failed"),
      Bun.sleep(300).then(() => "waits"), // a failure would come at once
    ]);
    expect(state).toBe("waits");
    await reader.stop();
  });

  test("a group whose offset is not on the log any more fails, and skips nothing", async () => {
    const topic = await scope.newTopic();
    const group = newName("group");
    await publishTexts(scope.log, topic, numbered("text", 10), "key");
    const first = await EventLogReader.open(scope.log, {
      topic,
      group,
      blocks: (text) => text === "text 2",
    });
    await first.untilFinished(2);
    await first.stop(0);
    await harness.truncate(topic, 5);
    await using second = await EventLogReader.open(scope.log, { topic, group });
    await expect(second.subscription.failed).rejects.toMatchObject({ code: "offset_out_of_range" });
    expect(second.started).toEqual([]);
  });

  test("a new group on a topic that lost its oldest records starts at the earliest left", async () => {
    const topic = await scope.newTopic();
    await publishTexts(scope.log, topic, numbered("text", 4), "key");
    await harness.truncate(topic, 2);
    await using reader = await EventLogReader.open(scope.log, { topic, group: newName("group") });
    expect(await reader.untilFinished(2)).toEqual(["text 2", "text 3"]);
  });
}
