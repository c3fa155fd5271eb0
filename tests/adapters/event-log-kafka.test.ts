import { describe, expect, test } from "bun:test";
import { ConfigResourceTypes } from "kafkajs";
import { createLog, silentLog } from "../../src/core/log.ts";
import type { EventLog } from "../../src/email/event-log/event-log.ts";
import { partitionOfKey } from "../../src/email/event-log/event-log.ts";
import { createKafkaClient } from "../../src/email/event-log/kafka/client.ts";
import { findEngine } from "../../support/engines.ts";
import { eventually } from "../../support/eventually.ts";
import { kafkaConnectionTo, openKafkaLogAt, truncateKafkaTopic } from "../../support/kafka-logs.ts";
import { hasOwnKafka, openOwnKafka } from "../../support/own-kafka.ts";
import { newName, topicSpec } from "../contract/event-log-harness.ts";
import { EventLogReader, numbered, publishTexts, readAll, textOf } from "../support/event-logs.ts";

/** What the contract does not ask of every log: Kafka's batches, groups and restarts. */
const brokers = findEngine("kafka") ?? "";
const hasKafka = brokers !== "";
const hasOwn = hasOwnKafka();

describe("publishing", () => {
  async function newTopic(log: EventLog, recordBytesMax: number): Promise<string> {
    const spec = topicSpec(newName("topic"), { recordBytesMax });
    await log.createTopics([spec], { grow: false });
    return spec.topic;
  }

  async function setBytesMax(topic: string, recordBytesMax: number): Promise<void> {
    const connection = kafkaConnectionTo(brokers);
    const admin = createKafkaClient({ connection, log: silentLog, patience: "quick" }).admin();
    try {
      await admin.connect();
      const entry = { name: "max.message.bytes", value: String(recordBytesMax) };
      await admin.alterConfigs({
        validateOnly: false,
        resources: [{ type: ConfigResourceTypes.TOPIC, name: topic, configEntries: [entry] }],
      });
    } finally {
      await admin.disconnect();
    }
  }

  test.skipIf(!hasKafka)(
    "records larger together than the topic's limit are all taken",
    async () => {
      await using log = await openKafkaLogAt(brokers);
      const topic = await newTopic(log, 64 * 1024);
      const texts = numbered("x".repeat(10_000), 40);
      await Promise.all(texts.map((text) => publishTexts(log, topic, [text])));
      expect((await readAll(log, topic)).map(textOf)).toEqual([...texts]);
    },
  );

  test.skipIf(!hasKafka)(
    "a record over the limit fails alone, its neighbours are there once",
    async () => {
      await using log = await openKafkaLogAt(brokers);
      const topic = await newTopic(log, 64 * 1024);
      const publish = (text: string) => publishTexts(log, topic, [text]).then(() => "taken");
      const results = await Promise.allSettled([
        publish("before"),
        publish("x".repeat(100_000)),
        publish("after"),
      ]);
      expect(results).toMatchObject([
        { value: "taken" },
        { reason: { code: "record_too_large", retryable: false } },
        { value: "taken" },
      ]);
      expect((await readAll(log, topic)).map(textOf)).toEqual(["before", "after"]);
    },
  );

  test.skipIf(!hasKafka)(
    "a limit that was lowered meanwhile costs no record that fits",
    async () => {
      await using log = await openKafkaLogAt(brokers);
      const topic = await newTopic(log, 256 * 1024);
      await publishTexts(log, topic, ["first"]);
      await setBytesMax(topic, 32 * 1024);
      const texts = [...numbered("x".repeat(10_000), 10), "y".repeat(40_000)];
      const results = await Promise.allSettled(
        texts.map((text) => publishTexts(log, topic, [text])),
      );
      expect(results.map(({ status }) => status)).toEqual([
        ...new Array(10).fill("fulfilled"),
        "rejected",
      ]);
      const read = (await readAll(log, topic)).map(textOf);
      expect(read).toEqual(["first", ...texts.slice(0, 10)]);
    },
  );

  test.skipIf(!hasKafka)("closing sends what was asked for before", async () => {
    const log = await openKafkaLogAt(brokers);
    const topic = await newTopic(log, 64 * 1024);
    const texts = numbered("text", 1_500);
    const publishing = Promise.all(texts.map((text) => publishTexts(log, topic, [text])));
    await log.close();
    expect(await publishing).toHaveLength(1_500);
    await expect(publishTexts(log, topic, ["late"])).rejects.toMatchObject({
      code: "log_unavailable",
    });
    await using other = await openKafkaLogAt(brokers);
    expect((await readAll(other, topic)).map(textOf)).toEqual([...texts]);
  });

  test.skipIf(!hasKafka)("callers who wait for each record share the batches", async () => {
    await using log = await openKafkaLogAt(brokers);
    const topic = await newTopic(log, 64 * 1024);
    await publishTexts(log, topic, ["warm"]);
    const startedAt = performance.now();
    const caller = async (name: number) => {
      for (const text of numbered(`caller ${name}:`, 50)) await publishTexts(log, topic, [text]);
    };
    await Promise.all(Array.from({ length: 64 }, (_, name) => caller(name)));
    const seconds = (performance.now() - startedAt) / 1_000;
    console.log(`64 callers publish ${Math.round(3_200 / seconds)} records/s`);
    expect(seconds).toBeLessThan(3.2); // 1,000/s, where 20,000/s are usual
  });
});

describe("groups", () => {
  async function memberCount(group: string): Promise<number> {
    const connection = kafkaConnectionTo(brokers);
    const admin = createKafkaClient({ connection, log: silentLog, patience: "quick" }).admin();
    try {
      await admin.connect();
      const { groups } = await admin.describeGroups([group]);
      return groups[0]?.members.length ?? 0;
    } finally {
      await admin.disconnect();
    }
  }

  test.skipIf(!hasKafka)("a member that is stopped while it joins does not stay", async () => {
    await using log = await openKafkaLogAt(brokers);
    const spec = topicSpec(newName("topic"));
    const group = newName("group");
    await log.createTopics([spec], { grow: false });
    for (let delayMs = 0; delayMs <= 60; delayMs += 3) {
      const reader = await EventLogReader.open(log, { topic: spec.topic, group });
      await Bun.sleep(delayMs); // so that the stop meets each step of a join
      await reader.stop();
      await eventually(
        "nobody is in the group",
        // Kafka refuses the question for as long as the group's coordinator moves.
        async () => (await memberCount(group).catch(() => undefined)) === 0,
        2_000,
      );
    }
  });

  test.skipIf(!hasKafka)(
    "a group that lost its place says where it is and what is left",
    async () => {
      await using log = await openKafkaLogAt(brokers);
      const spec = topicSpec(newName("topic"));
      const group = newName("group");
      await log.createTopics([spec], { grow: false });
      await publishTexts(log, spec.topic, numbered("text", 3), "key");
      const reader = await EventLogReader.open(log, { topic: spec.topic, group });
      await reader.untilFinished(3);
      await reader.stop();
      await publishTexts(log, spec.topic, numbered("later", 5), "key");
      await truncateKafkaTopic(brokers, spec.topic, 6);
      const { failed } = (await EventLogReader.open(log, { topic: spec.topic, group }))
        .subscription;
      await expect(failed).rejects.toMatchObject({
        code: "offset_out_of_range",
        detail: expect.stringContaining(
          `${group} on ${spec.topic}, partition 0: the group is at 3, the log begins at 6. `,
        ),
        details: { partition: 0 },
      });
      expect(await log.lag(spec.topic, group)).toMatchObject([{ committed: 3, records: 2 }]);
    },
  );

  test.skipIf(!hasKafka)(
    "a record larger than a fetch does not wait for the backlog of another partition",
    async () => {
      await using log = await openKafkaLogAt(brokers);
      const spec = topicSpec(newName("topic"), { partitions: 2, recordBytesMax: 500_000 });
      await log.createTopics([spec], { grow: false });
      const keyOf = (partition: number) =>
        numbered("key", 50).find((key) => partitionOfKey(Buffer.from(key), 2) === partition) ?? "";
      const many = numbered("x".repeat(10_000), 600);
      const large = "y".repeat(300_000);
      await publishTexts(log, spec.topic, many, keyOf(0));
      await publishTexts(log, spec.topic, [large], keyOf(1));
      const group = newName("group");
      const options = { topic: spec.topic, group, unfinishedMax: 10_000 };
      await using reader = await EventLogReader.open(log, options);
      await reader.untilFinished(many.length + 1);
      expect(reader.finished.indexOf(large)).toBeLessThan(many.length / 2);
    },
  );

  test.skipIf(!hasKafka)("reading a range leaves no group behind", async () => {
    await using log = await openKafkaLogAt(brokers);
    const spec = topicSpec(newName("topic"));
    await log.createTopics([spec], { grow: false });
    await publishTexts(log, spec.topic, ["a"]);
    const connection = kafkaConnectionTo(brokers);
    const admin = createKafkaClient({ connection, log: silentLog, patience: "quick" }).admin();
    await admin.connect();
    const groups = async () => (await admin.listGroups()).groups.map(({ groupId }) => groupId);
    const before = new Set(await groups());
    for await (const record of log.readRange({ topic: spec.topic, partition: 0, from: 0, to: 9 })) {
      expect(record.offset).toBe(0);
    }
    expect((await groups()).filter((group) => !before.has(group))).toEqual([]);
    await admin.disconnect();
  });
});

describe("restarts of the broker", () => {
  /** A broker of its own per test: these stop it. Kafka needs some seconds for each start. */
  const withinMs = 90_000;

  /** Publishes again until it is acknowledged, as whoever buries a dead letter does. */
  async function publishInTheEnd(log: Awaited<ReturnType<typeof openKafkaLogAt>>, texts: string[]) {
    for (const text of texts) {
      await eventually(
        `${text} is acknowledged`,
        () =>
          publishTexts(log, "topic", [text], "key").then(
            () => true,
            () => false,
          ),
        60_000,
      );
    }
  }

  test.skipIf(!hasOwn)(
    "after a restart of the broker, publishing and consuming go on by themselves",
    async () => {
      await using kafka = await openOwnKafka();
      await using log = await openKafkaLogAt(kafka.brokers);
      await log.createTopics([topicSpec("topic")], { grow: false });
      await using reader = await EventLogReader.open(log, { topic: "topic", group: "group" });
      await publishTexts(log, "topic", ["a"], "key");
      await reader.untilFinished(1);
      await eventually("a is committed", async () => {
        return (await log.lag("topic", "group")).every(({ records }) => records === 0);
      });
      await kafka.kill();
      const refused = publishTexts(log, "topic", ["lost"], "key");
      await expect(refused).rejects.toMatchObject({ code: "log_unavailable" });
      await kafka.start();
      await publishInTheEnd(log, ["b", "c"]);
      await eventually("all is read", () => reader.finished.includes("c"), 60_000);
      expect(reader.finished.filter((text) => text !== "lost")).toEqual(["a", "b", "c"]);
      expect((await log.lag("topic", "group")).length).toBe(1);
    },
    withinMs,
  );

  test.skipIf(!hasOwn)(
    "a broker that freezes costs a publish its deadline, and the next one goes through",
    async () => {
      await using kafka = await openOwnKafka();
      await using log = await openKafkaLogAt(kafka.brokers);
      await log.createTopics([topicSpec("topic")], { grow: false });
      await publishTexts(log, "topic", ["a"], "key");
      kafka.freeze();
      const startedAt = performance.now();
      const record = { key: null, value: Buffer.from("late"), headers: [] };
      const publishing = log.publish("topic", [record], { deadlineMs: 500 });
      await expect(publishing).rejects.toMatchObject({ code: "log_unavailable" });
      expect(performance.now() - startedAt).toBeLessThan(1_500);
      kafka.thaw();
      await publishInTheEnd(log, ["b"]);
      const texts = (await readAll(log, "topic")).map(textOf);
      expect(texts.filter((text) => text !== "late")).toEqual(["a", "b"]);
    },
    withinMs,
  );

  test.skipIf(!hasOwn)(
    "a subscription that starts before its broker says so, waits, and then reads",
    async () => {
      await using kafka = await openOwnKafka();
      await using before = await openKafkaLogAt(kafka.brokers);
      await before.createTopics([topicSpec("topic")], { grow: false });
      await publishTexts(before, "topic", numbered("text", 3), "key");
      await before.close();
      await kafka.stop();
      const lines: string[] = [];
      const write = (line: string) => void lines.push(line);
      const capturing = createLog({ service: "test", level: "info", write });
      await using log = await openKafkaLogAt(kafka.brokers, capturing);
      await using reader = await EventLogReader.open(log, { topic: "topic", group: "group" });
      await eventually("it says that it waits", () => {
        return lines.some((line) => line.includes("Waiting for Kafka"));
      });
      await kafka.start();
      expect(await reader.untilFinished(3, 60_000)).toEqual(["text 0", "text 1", "text 2"]);
    },
    withinMs,
  );
});
