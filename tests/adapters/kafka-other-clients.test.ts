import { expect, test } from "bun:test";
import type { EventLog } from "../../src/email/event-log/event-log.ts";
import { findEngine } from "../../support/engines.ts";
import { openKafkaLogAt } from "../../support/kafka-logs.ts";
import { hasOwnKafka } from "../../support/own-kafka.ts";
import { newName, topicSpec } from "../contract/event-log-harness.ts";
import { numbered, publishTexts, readAll, textOf } from "../support/event-logs.ts";

/** What other services write we read, and what we write they read: with librdkafka and with Java. */
const brokers = findEngine("kafka") ?? "";
const kcat = findEngine("kcat") ?? "";
const hasKcat = brokers !== "" && kcat !== "";
const texts = numbered("a text that repeats itself, itself, itself", 200);

async function run(command: readonly string[], input = ""): Promise<string> {
  const child = Bun.spawn([...command], { stdin: Buffer.from(input), stderr: "pipe" });
  const [output, errors] = await Promise.all([child.stdout.text(), child.stderr.text()]);
  if ((await child.exited) !== 0) throw new Error(`${command[0]}: ${errors}`);
  return output;
}

async function newTopic(log: EventLog, partitions = 1): Promise<string> {
  const spec = topicSpec(newName("topic"), { partitions });
  await log.createTopics([spec], { grow: false });
  return spec.topic;
}

for (const codec of ["gzip", "snappy", "lz4", "zstd"]) {
  test.skipIf(!hasKcat)(`what librdkafka compresses with ${codec} is read`, async () => {
    await using log = await openKafkaLogAt(brokers);
    const topic = await newTopic(log);
    const settings = ["-X", "linger.ms=200"]; // so that a batch is worth compressing
    await run([kcat, "-b", brokers, "-P", "-t", topic, "-z", codec, ...settings], texts.join("\n"));
    expect((await readAll(log, topic)).map(textOf)).toEqual([...texts]);
  });
}

for (const codec of ["snappy", "lz4"]) {
  test.skipIf(brokers === "" || !hasOwnKafka())(
    `what Java's producer compresses with ${codec} is read`,
    async () => {
      await using log = await openKafkaLogAt(brokers);
      const topic = await newTopic(log);
      const producer = "org.apache.kafka.tools.ConsoleProducer";
      const flags = ["--bootstrap-server", brokers, "--topic", topic, "--compression-codec", codec];
      const classPath = `${process.env["TEST_KAFKA_LIBS"]}/*`;
      await run(["java", "-cp", classPath, producer, ...flags], `${texts.join("\n")}\n`);
      expect((await readAll(log, topic)).map(textOf)).toEqual([...texts]);
    },
  );
}

test.skipIf(!hasKcat)("others see null and repeated headers as we sent them", async () => {
  await using log = await openKafkaLogAt(brokers);
  const topic = await newTopic(log);
  const headers = [
    ["b", Buffer.from("1")],
    ["1", null],
    ["b", Buffer.from("2")],
  ] as const;
  const record = { key: null, value: Buffer.from("x"), headers };
  await log.publish(topic, [record], { deadlineMs: 10_000 });
  const output = await run([kcat, "-b", brokers, "-C", "-t", topic, "-e", "-q", "-J"]);
  expect(JSON.parse(output)).toMatchObject({ headers: ["b", "1", "1", null, "b", "2"], key: null });
});

test.skipIf(!hasKcat)("a key goes to the partition where Java's producers put it", async () => {
  await using log = await openKafkaLogAt(brokers);
  const [ours, theirs] = [await newTopic(log, 7), await newTopic(log, 7)];
  const keys = Array.from({ length: 50 }, (_, index) => `person${index}@example.com`);
  for (const key of keys) await publishTexts(log, ours, [key], key);
  const lines = keys.map((key) => `${key}\t${key}`).join("\n");
  const flags = ["-K", "\t", "-X", "topic.partitioner=murmur2_random"];
  await run([kcat, "-b", brokers, "-P", "-t", theirs, ...flags], lines);
  const spread = async (topic: string) => {
    const partitions = await Promise.all(
      [0, 1, 2, 3, 4, 5, 6].map((at) => readAll(log, topic, at)),
    );
    return partitions.map((records) => records.map(textOf).toSorted());
  };
  expect(await spread(ours)).toEqual(await spread(theirs));
});
