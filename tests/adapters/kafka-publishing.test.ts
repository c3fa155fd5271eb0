import { expect, test } from "bun:test";
import { ConfigResourceTypes } from "kafkajs";
import { silentLog } from "../../src/core/log.ts";
import type { EventLog } from "../../src/email/event-log/event-log.ts";
import { createKafkaClient } from "../../src/email/event-log/kafka/client.ts";
import { findEngine } from "../../support/engines.ts";
import { kafkaConnectionTo, openKafkaLogAt } from "../../support/kafka-logs.ts";
import { newName, topicSpec } from "../contract/event-log-harness.ts";
import { numbered, publishTexts, readAll, textOf } from "../support/event-logs.ts";

/** What the contract does not ask of every log: batches, and the limits of a topic on them. */
const brokers = findEngine("kafka") ?? "";
const hasKafka = brokers !== "";

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

test.skipIf(!hasKafka)("records larger together than the topic's limit are all taken", async () => {
  await using log = await openKafkaLogAt(brokers);
  const topic = await newTopic(log, 64 * 1024);
  const texts = numbered("x".repeat(10_000), 40);
  await Promise.all(texts.map((text) => publishTexts(log, topic, [text])));
  expect((await readAll(log, topic)).map(textOf)).toEqual([...texts]);
});

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

test.skipIf(!hasKafka)("a limit that was lowered meanwhile costs no record that fits", async () => {
  await using log = await openKafkaLogAt(brokers);
  const topic = await newTopic(log, 256 * 1024);
  await publishTexts(log, topic, ["first"]);
  await setBytesMax(topic, 32 * 1024);
  const texts = [...numbered("x".repeat(10_000), 10), "y".repeat(40_000)];
  const results = await Promise.allSettled(texts.map((text) => publishTexts(log, topic, [text])));
  expect(results.map(({ status }) => status)).toEqual([
    ...new Array(10).fill("fulfilled"),
    "rejected",
  ]);
  const read = (await readAll(log, topic)).map(textOf);
  expect(read).toEqual(["first", ...texts.slice(0, 10)]);
});

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
