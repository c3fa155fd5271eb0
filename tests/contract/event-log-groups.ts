import { expect, test } from "bun:test";
import { eventually } from "../../support/eventually.ts";
import { spawnEventLogChild } from "../support/event-log-child.ts";
import { EventLogReader, numbered, publishTexts, readAll } from "../support/event-logs.ts";
import { handleEach } from "../support/handle-each.ts";
import type { ContractScope, EventLogHarness } from "./event-log-harness.ts";
import { newName, useEventLog } from "./event-log-harness.ts";

export function testEventLogGroups(harness: EventLogHarness): void {
  const scope = useEventLog(harness);
  testCommits(scope);
  testOwners(scope);
  testClosing(scope);
  testMembers(scope);
  testDeaths(scope);
}

function testCommits(scope: ContractScope): void {
  test("two groups each get every record", async () => {
    const topic = await scope.newTopic();
    await publishTexts(scope.log, topic, ["a", "b"], "key");
    await using one = await EventLogReader.open(scope.log, { topic, group: newName("one") });
    await using two = await EventLogReader.open(scope.log, { topic, group: newName("two") });
    expect(await one.untilFinished(2)).toEqual(["a", "b"]);
    expect(await two.untilFinished(2)).toEqual(["a", "b"]);
  });

  test("a group that stopped goes on after what it finished", async () => {
    const topic = await scope.newTopic();
    const group = newName("group");
    await publishTexts(scope.log, topic, ["a", "b"], "key");
    const first = await EventLogReader.open(scope.log, { topic, group });
    await first.untilFinished(2);
    await first.stop();
    await first.stop();
    await publishTexts(scope.log, topic, ["c"], "key");
    await using second = await EventLogReader.open(scope.log, { topic, group });
    expect(await second.untilFinished(1)).toEqual(["c"]);
  });

  test("a record left by the abort comes again, with all after it, and none before it", async () => {
    const topic = await scope.newTopic();
    const group = newName("group");
    await publishTexts(scope.log, topic, numbered("text", 6));
    const first = await EventLogReader.open(scope.log, {
      topic,
      group,
      blocks: (text) => text === "text 2",
    });
    await first.untilFinished(5);
    await first.stop(50);
    expect(first.finished).not.toContain("text 2");
    expect(await scope.log.lag(topic, group)).toMatchObject([{ committed: 2, records: 4 }]);
    await using second = await EventLogReader.open(scope.log, { topic, group });
    const again = await second.untilFinished(4);
    expect(again.toSorted()).toEqual(["text 2", "text 3", "text 4", "text 5"]);
  });

  test("a stop waits for the handlers in flight and commits what they finish", async () => {
    const topic = await scope.newTopic();
    const group = newName("group");
    await publishTexts(scope.log, topic, ["a", "b"], "key");
    const reader = await EventLogReader.open(scope.log, { topic, group, blocks: () => true });
    await reader.untilStarted(1);
    const stopping = reader.stop(20_000);
    reader.releaseAll();
    await stopping;
    expect(reader.started).toEqual(["a"]);
    expect(await scope.log.lag(topic, group)).toMatchObject([{ committed: 1, records: 1 }]);
  });

  test("closing the log stops its subscriptions", async () => {
    const topic = await scope.newTopic();
    const group = newName("group");
    const other = await scope.harness.open();
    await publishTexts(scope.log, topic, ["a"], "key");
    const reader = await EventLogReader.open(other, { topic, group });
    await reader.untilFinished(1);
    await other.close();
    await other.close();
    await publishTexts(scope.log, topic, ["b"], "key");
    await using next = await EventLogReader.open(scope.log, { topic, group });
    expect(await next.untilFinished(1)).toEqual(["b"]);
    expect(reader.started).toEqual(["a"]);
  });
}

function testOwners(scope: ContractScope): void {
  test("the lag names the member that reads a partition, and nobody once it is gone", async () => {
    const topic = await scope.newTopic();
    const group = newName("group");
    const owner = async () => (await scope.log.lag(topic, group))[0]?.owner;
    expect(await owner()).toBeUndefined();
    const reader = await EventLogReader.open(scope.log, { topic, group });
    await eventually("somebody reads it", async () => (await owner()) !== undefined);
    await reader.stop();
    await eventually("nobody reads it", async () => (await owner()) === undefined);
  });
}

function testClosing(scope: ContractScope): void {
  test("a handler that is drained by a close may still publish", async () => {
    const topic = await scope.newTopic();
    const letters = await scope.newTopic();
    const other = await scope.harness.open();
    await publishTexts(scope.log, topic, ["a"]);
    const started = Promise.withResolvers<void>();
    const closing = Promise.withResolvers<void>();
    await other.subscribe({
      topic,
      group: newName("group"),
      handle: handleEach(async () => {
        started.resolve();
        await closing.promise;
        await Bun.sleep(50); // the close is on its way
        await publishTexts(other, letters, ["letter"]);
      }),
    });
    await started.promise;
    const closed = other.close();
    closing.resolve();
    await closed;
    expect(await readAll(scope.log, letters)).toHaveLength(1);
  });
}

function testMembers(scope: ContractScope): void {
  const { rebalanceMsMax } = scope.harness.features;

  test("members share the partitions, and one that stops hands its own over", async () => {
    const topic = await scope.newTopic({ partitions: 3 });
    const group = newName("group");
    await using otherLog = await scope.harness.open();
    await using one = await EventLogReader.open(scope.log, { topic, group });
    await using two = await EventLogReader.open(otherLog, { topic, group });
    const shares = () => [
      ...one.subscription.stats.partitions,
      ...two.subscription.stats.partitions,
    ];
    await eventually("both have some", () => {
      const sizes = [one, two].map(({ subscription }) => subscription.stats.partitions.length);
      return Math.min(...sizes) > 0 && shares().length === 3;
    });
    expect(shares().toSorted()).toEqual([0, 1, 2]);
    await publishTexts(scope.log, topic, numbered("shared", 30));
    await eventually("all are finished", () => one.finished.length + two.finished.length >= 30);
    expect(new Set([...one.finished, ...two.finished]).size).toBe(30);
    expect(Math.min(one.finished.length, two.finished.length)).toBeGreaterThan(0);
    await two.stop();
    await one.untilPartitions(3, rebalanceMsMax);
    await publishTexts(scope.log, topic, numbered("alone", 30));
    await eventually("one finishes all of the second part", () => {
      const alone = one.finished.filter((text) => text.startsWith("alone"));
      return new Set(alone).size === 30;
    });
  });

  test("a record that comes back to the member that still handles it joins the run", async () => {
    const topic = await scope.newTopic({ partitions: 2 });
    const group = newName("group");
    const texts = numbered("text", 20);
    await publishTexts(scope.log, topic, texts);
    await using reader = await EventLogReader.open(scope.log, { topic, group, blocks: () => true });
    await reader.untilStarted(20);
    await using otherLog = await scope.harness.open();
    await using other = await EventLogReader.open(otherLog, { topic, group, blocks: () => true });
    await other.untilStarted(1);
    await other.stop();
    await reader.untilPartitions(2, rebalanceMsMax);
    await publishTexts(scope.log, topic, numbered("more", 20)); // fetched after the copies
    await reader.untilStarted(40);
    expect(reader.started.filter((text) => text.startsWith("text")).toSorted()).toEqual(
      texts.toSorted(),
    );
    reader.releaseAll();
    await eventually("all is committed", async () => {
      const lags = await scope.log.lag(topic, group);
      return lags.every(({ records }) => records === 0);
    });
    expect(reader.started).toHaveLength(40);
  });
}

function testDeaths(scope: ContractScope): void {
  const { harness } = scope;
  const { rebalanceMsMax, takeOverMsMax } = harness.features;

  test("after kill -9 the group goes on with what was not finished, and loses nothing", async () => {
    const topic = await scope.newTopic();
    const group = newName("group");
    await publishTexts(scope.log, topic, numbered("text", 20));
    await using child = spawnEventLogChild({
      address: harness.childAddress,
      topic,
      publish: [],
      read: { group, finish: 12 },
    });
    const finished = await child.printed("finished", 12);
    await child.kill();
    await using reader = await EventLogReader.open(scope.log, { topic, group });
    const byChild = new Set(finished.map((place) => `text ${place.split(" ")[1]}`));
    await eventually(
      "every record is finished by the child or by the reader",
      () => new Set([...byChild, ...reader.finished]).size === 20,
      takeOverMsMax,
    );
    expect(reader.finished.filter((text) => !byChild.has(text))).toHaveLength(8);
  });

  test("a member that lives takes over the partitions of one that was killed", async () => {
    const topic = await scope.newTopic({ partitions: 2 });
    const group = newName("group");
    await publishTexts(scope.log, topic, numbered("text", 20));
    await using reader = await EventLogReader.open(scope.log, { topic, group });
    await reader.untilFinished(20);
    const read = { group, finish: 0 };
    const address = harness.childAddress;
    await using child = spawnEventLogChild({ address, topic, publish: [], read });
    await reader.untilPartitions(1, rebalanceMsMax);
    const positions = await publishTexts(scope.log, topic, numbered("later", 20));
    const [started = ""] = await child.printed("started", 1);
    await child.kill();
    const taken = positions.findIndex((at) => `${at.partition} ${at.offset}` === started);
    expect(taken).toBeGreaterThanOrEqual(0);
    await eventually(
      "the reader finishes every record",
      () => new Set(reader.finished).size === 40,
      takeOverMsMax,
    );
    expect(reader.finished).toContain(`later ${taken}`);
  });
}
