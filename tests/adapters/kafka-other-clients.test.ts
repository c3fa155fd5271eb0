import { expect, test } from "bun:test";
import type { EventLog, OutgoingRecord } from "../../src/email/event-log/event-log.ts";
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

const headerKinds: readonly OutgoingRecord["headers"][] = [
  [],
  [["traceparent", Buffer.from("00-0af7651916cd43dd8448eb211c80319c-b7ad6b7169203331-01")]],
  [
    ["b", Buffer.from("1")],
    ["1", null],
    ["b", Buffer.from("2")],
  ],
];

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

/** More than a batch, with every kind of key, value and header. */
const allKinds: readonly OutgoingRecord[] = Array.from({ length: 1_200 }, (_, index) => ({
  key: index % 5 === 0 ? null : Buffer.from(`key ${index}`),
  value: index % 7 === 0 ? null : Buffer.from(`value ${index} ${"é".repeat(index % 300)}`),
  headers: headerKinds[index % headerKinds.length] ?? [],
}));

/** What a reader prints of a record; headers as [name, value, name, value, …]. */
interface Printed {
  readonly key: string | null;
  readonly value: string | null;
  readonly headers: readonly (string | null)[];
  readonly timestamp: number;
}

const textOrNull = (bytes: Uint8Array | null) => bytes && Buffer.from(bytes).toString();

/** Publishes all kinds, and expects that a reader prints them in order, with about this time. */
async function expectAllKinds(
  readTopic: (topic: string) => Promise<readonly Printed[]>,
): Promise<void> {
  await using log = await openKafkaLogAt(brokers);
  const topic = await newTopic(log);
  const before = Date.now();
  await log.publish(topic, allKinds, { deadlineMs: 20_000 });
  const printed = await readTopic(topic);
  expect(printed.map(({ timestamp: _, ...record }) => record)).toEqual(
    allKinds.map(({ key, value, headers }) => ({
      key: textOrNull(key),
      value: textOrNull(value),
      headers: headers.flatMap(([name, content]) => [name, textOrNull(content)]),
    })),
  );
  for (const { timestamp } of printed) expect(timestamp).toBeWithin(before, Date.now() + 1);
}

test.skipIf(!hasKcat)("librdkafka reads what we write", async () => {
  await expectAllKinds(async (topic) => {
    const checked = ["-X", "check.crcs=true"];
    const output = await run([
      kcat,
      "-b",
      brokers,
      "-C",
      "-t",
      topic,
      "-e",
      "-q",
      "-J",
      ...checked,
    ]);
    const lines = output.trim().split("\n");
    return lines.map((line) => {
      const { key, payload, headers = [], ts } = JSON.parse(line);
      return { key, value: payload, headers, timestamp: ts };
    });
  });
});

test.skipIf(brokers === "" || !hasOwnKafka())("Java's consumer reads what we write", async () => {
  await expectAllKinds(async (topic) => {
    const consumer = "org.apache.kafka.tools.consumer.ConsoleConsumer";
    const asked = ["--from-beginning", "--max-messages", String(allKinds.length)];
    const properties = ["timestamp", "headers", "key"].flatMap((name) => [
      "--formatter-property",
      `print.${name}=true`,
    ]);
    const separators = ["--formatter-property", "key.separator=|"];
    const flags = ["--bootstrap-server", brokers, "--topic", topic, ...asked];
    const classPath = `${process.env["TEST_KAFKA_LIBS"]}/*`;
    const command = ["java", "-cp", classPath, consumer, ...flags, ...properties, ...separators];
    return (await run(command)).trimEnd().split("\n").map(parseConsoleLine);
  });
});

/** "CreateTime:1700000000000|name:value,name:null|key|value", where "null" may be any of them. */
function parseConsoleLine(line: string): Printed {
  const [time = "", headers = "", key = "", value = ""] = line.split("|");
  const printed = (text: string) => (text === "null" ? null : text);
  return {
    timestamp: Number(time.split(":")[1]),
    headers: headers === "NO_HEADERS" ? [] : headers.split(/[,:]/).map(printed),
    key: printed(key),
    value: printed(value),
  };
}

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
