import { expect, test } from "bun:test";
import type { EventLogHarness } from "./event-log-harness.ts";
import { newName, topicSpec, useEventLog } from "./event-log-harness.ts";

export function testEventLogTopics(harness: EventLogHarness): void {
  const scope = useEventLog(harness);
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
