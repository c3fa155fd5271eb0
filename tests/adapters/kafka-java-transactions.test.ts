import { afterAll, beforeAll, describe, expect, test } from "bun:test";
import { silentLog } from "../../src/core/log.ts";
import type { EventLog } from "../../src/email/event-log/event-log.ts";
import { createKafkaClient } from "../../src/email/event-log/kafka/client.ts";
import { findEngine } from "../../support/engines.ts";
import { eventually } from "../../support/eventually.ts";
import { kafkaConnectionTo, openKafkaLogAt } from "../../support/kafka-logs.ts";
import type { OwnKafka } from "../../support/own-kafka.ts";
import { eagerCleaning, hasOwnKafka, openOwnKafka } from "../../support/own-kafka.ts";
import { newName, topicSpec } from "../contract/event-log-harness.ts";
import { EventLogReader, readAll, textOf } from "../support/event-logs.ts";
import { JavaProducers } from "../support/java-producers.ts";

const python = findEngine("python");
const codecs = ["none", "gzip", "snappy", "lz4", "zstd"] as const;

describe.skipIf(!hasOwnKafka())("topics that Kafka's Java client writes", () => {
  const stack = new AsyncDisposableStack();
  let kafka: OwnKafka;
  let log: EventLog;
  let java: JavaProducers;
  beforeAll(async () => {
    kafka = stack.use(await openOwnKafka({ properties: eagerCleaning }));
    log = stack.use(await openKafkaLogAt(kafka.brokers));
    java = stack.use(new JavaProducers(kafka.brokers));
  }, 60_000);
  afterAll(() => stack.disposeAsync());

  async function openTopic(retentionMs = 7 * 24 * 3_600_000) {
    const topic = newName("topic");
    await log.createTopics([topicSpec(topic, { retentionMs })], { grow: false });
    return { topic, group: newName("group") };
  }

  async function openCompactedTopic() {
    const connection = kafkaConnectionTo(kafka.brokers);
    const admin = createKafkaClient({ connection, log: silentLog, patience: "quick" }).admin();
    const topic = newName("topic");
    const settings = {
      "cleanup.policy": "compact",
      "min.cleanable.dirty.ratio": "0.01",
      "min.compaction.lag.ms": "0",
      "delete.retention.ms": "0",
      "segment.ms": "100",
    };
    const configEntries = Object.entries(settings).map(([name, value]) => ({ name, value }));
    await admin.connect();
    await admin.createTopics({ topics: [{ topic, configEntries }], waitForLeaders: true });
    await admin.disconnect();
    return { topic, group: newName("group") };
  }

  const lagOf = async (topic: string, group: string) => (await log.lag(topic, group))[0];

  function untilRead(topic: string, group: string, offset: number): Promise<unknown> {
    return eventually(`${offset} is committed`, async () => {
      const lag = await lagOf(topic, group);
      return lag?.committed === offset && lag.records === 0 && lag.seconds === 0;
    });
  }

  test.each(codecs)(
    "batches of transactions compressed with %s",
    async (codec) => {
      const { topic, group } = await openTopic();
      const [one, two] = [`${codec}1`, `${codec}2`];
      await java.run(
        `open ${one} ${codec} ${newName("t")}`,
        `open ${two} ${codec} ${newName("t")}`,
      );
      await java.run(`begin ${one}`, `begin ${two}`);
      await java.run(`send ${one} ${topic} a=a b=b c=c`, `send ${two} ${topic} x=x y=y`);
      await java.run(`send ${one} ${topic} d=d`, `abort ${two}`, `commit ${one}`);
      await java.run(`begin ${two}`, `send ${two} ${topic} never=never`, `abort ${two}`);
      await using reader = await EventLogReader.open(log, { topic, group });
      expect(await reader.untilFinished(4)).toEqual(["a", "b", "c", "d"]);
      await untilRead(topic, group, 10);
      expect((await readAll(log, topic)).map(textOf)).toEqual(["a", "b", "c", "d"]);
      expect((await readAll(log, topic, 0, 3)).map(textOf)).toEqual(["d"]);
      expect((await readAll(log, topic, 0, 7)).map(textOf)).toEqual([]);
    },
    30_000,
  );

  test.skipIf(python === undefined)(
    "librdkafka's transactions, committed and aborted in turn",
    async () => {
      const { topic, group } = await openTopic();
      const script = `
import sys
from confluent_kafka import Producer
brokers, topic = sys.argv[1:]
one, two = [Producer({"bootstrap.servers": brokers, "transactional.id": topic + name,
  "compression.type": codec, "linger.ms": 20}) for name, codec in (("1", "zstd"), ("2", "lz4"))]
for producer in (one, two): producer.init_transactions(30)
for turn in range(4):
  for producer in (one, two): producer.begin_transaction()
  for text in "abc":
    one.produce(topic, f"{turn}{text}", partition=0)
    two.produce(topic, f"never{turn}", partition=0)
  for producer in (one, two): producer.flush(30)
  two.abort_transaction(30)
  one.commit_transaction(30)
`;
      const child = Bun.spawn([python ?? "", "-c", script, kafka.brokers, topic]);
      expect(await child.exited).toBe(0);
      await using reader = await EventLogReader.open(log, { topic, group });
      const texts = [0, 1, 2, 3].flatMap((turn) => ["a", "b", "c"].map((text) => `${turn}${text}`));
      expect(await reader.untilFinished(12)).toEqual(texts);
      await untilRead(topic, group, 32);
      expect((await readAll(log, topic)).map(textOf)).toEqual(texts);
    },
    30_000,
  );

  test("a topic of nothing but aborted records, with retention and restarts", async () => {
    const { topic, group } = await openTopic(500);
    const name = newName("only");
    await java.run(`open ${name} lz4 ${name}`);
    let end = 0;
    for (let round = 0; round < 3; round += 1) {
      const reader = await EventLogReader.open(log, { topic, group });
      const other = await openKafkaLogAt(kafka.brokers);
      const second = await EventLogReader.open(other, { topic, group });
      await java.run(`begin ${name}`, `send ${name} ${topic} a=a b=b`, `abort ${name}`);
      end += 3;
      await untilRead(topic, group, end);
      await reader.stop();
      await second.stop();
      await other.close();
      expect([...reader.finished, ...second.finished]).toEqual([]);
      await eventually("retention removed it", async () => {
        return (await log.offsets(topic))[0]?.earliest === end;
      });
      expect(await lagOf(topic, group)).toMatchObject({ records: 0 });
    }
    await using reader = await EventLogReader.open(log, { topic, group });
    await java.run(`begin ${name}`, `send ${name} ${topic} z=z`, `commit ${name}`);
    expect(await reader.untilFinished(1)).toEqual(["z"]);
    await using fresh = await EventLogReader.open(log, { topic, group: newName("group") });
    await java.run(`begin ${name}`, `send ${name} ${topic} y=y`, `commit ${name}`);
    await eventually("a new group reads", () => fresh.finished.includes("y"));
  }, 60_000);

  test("a compacted topic, with gaps everywhere", async () => {
    const { topic, group } = await openCompactedTopic();
    const [plain, transactional] = [newName("plain"), newName("tx")];
    await java.run(`open ${plain} none -`, `open ${transactional} gzip ${transactional}`);
    const before = await EventLogReader.open(log, { topic, group });
    await java.run(`send ${plain} ${topic} a=1 b=1 c=1`);
    await before.untilFinished(3);
    await untilRead(topic, group, 3);
    await before.stop();
    for (let round = 2; round < 6; round += 1) {
      await java.run(`send ${plain} ${topic} a=${round} b=${round}`, `begin ${transactional}`);
      await java.run(`send ${transactional} ${topic} c=${round} d=${round} e=null`);
      await java.run(`${round % 2 === 0 ? "commit" : "abort"} ${transactional}`);
      await Bun.sleep(150); // a segment ends with the first record that comes after segment.ms
    }
    const { next } = (await log.offsets(topic))[0] ?? { next: 0 };
    const left = await eventually(
      "the cleaner has removed all but the newest of each key",
      async () => {
        await java.run(`send ${plain} ${topic} z=z`);
        await Bun.sleep(150);
        const records = (await readAll(log, topic)).filter(({ offset }) => offset < next);
        return records.length <= 4 && records.map(({ offset }) => offset);
      },
    );
    expect(left.length).toBe(4);
    expect((await lagOf(topic, group))?.records).toBeGreaterThan(0);
    for (let from = 0; from < next; from += 1) {
      const offsets = (await readAll(log, topic, 0, from, next)).map(({ offset }) => offset);
      expect(offsets).toEqual(left.filter((offset) => offset >= from));
    }
    await using reader = await EventLogReader.open(log, { topic, group });
    await untilRead(topic, group, (await log.offsets(topic))[0]?.next ?? 0);
    expect(reader.finished.slice(0, 4)).toEqual(["4", "4", "5", "5"]);
    expect(new Set(reader.finished.slice(4))).toEqual(new Set(["z"]));
  }, 60_000);
});
