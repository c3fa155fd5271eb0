import { afterAll, beforeAll, describe, expect, test } from "bun:test";
import type { EventLog } from "../../src/email/event-log/event-log.ts";
import { eventually } from "../../support/eventually.ts";
import {
  openKafkaLogAt,
  TransactionalProducer,
  truncateKafkaTopic,
} from "../../support/kafka-logs.ts";
import type { OwnKafka } from "../../support/own-kafka.ts";
import { eagerCleaning, hasOwnKafka, openOwnKafka } from "../../support/own-kafka.ts";
import { newName, topicSpec } from "../contract/event-log-harness.ts";
import { examineWith } from "../support/doctor.ts";
import { EventLogReader, publishTexts, readAll, textOf } from "../support/event-logs.ts";

describe.skipIf(!hasOwnKafka())("a topic that is written in transactions", () => {
  const stack = new AsyncDisposableStack();
  let kafka: OwnKafka;
  let log: EventLog;
  beforeAll(async () => {
    kafka = stack.use(await openOwnKafka({ properties: eagerCleaning }));
    log = stack.use(await openKafkaLogAt(kafka.brokers));
  }, 60_000);
  afterAll(() => stack.disposeAsync());

  async function openTopic(retentionMs = 7 * 24 * 3_600_000) {
    const topic = newName("topic");
    await log.createTopics([topicSpec(topic, { retentionMs })], { grow: false });
    return { topic, group: newName("group") };
  }

  const lagOf = async (topic: string, group: string) => (await log.lag(topic, group))[0];

  function untilCommitted(topic: string, group: string, offset: number): Promise<unknown> {
    return eventually(`${offset} is committed`, async () => {
      return (await lagOf(topic, group))?.committed === offset;
    });
  }

  function untilRemoved(topic: string, offset: number): Promise<unknown> {
    return eventually(`retention removes all before ${offset}`, async () => {
      return (await log.offsets(topic))[0]?.earliest === offset;
    });
  }

  test("the group commits past markers and aborted records, and goes on after retention", async () => {
    const { topic, group } = await openTopic(1_000);
    await using producer = await TransactionalProducer.open(kafka.brokers, topic);
    const first = await EventLogReader.open(log, { topic, group });
    await producer.commit(["a", "b"]); // 0, 1, marker 2
    await producer.abort(["never"]); // 3, marker 4
    expect(await first.untilFinished(2)).toEqual(["a", "b"]);
    await untilCommitted(topic, group, 5);
    expect(await lagOf(topic, group)).toEqual({
      partition: 0,
      owner: expect.any(String),
      committed: 5,
      records: 0,
      seconds: 0,
    });
    await first.stop();
    await untilRemoved(topic, 5);
    await using second = await EventLogReader.open(log, { topic, group });
    await using otherLog = await openKafkaLogAt(kafka.brokers);
    await using third = await EventLogReader.open(otherLog, { topic, group });
    await eventually("both are in the group", () => {
      return (
        second.subscription.stats.problem === undefined &&
        third.subscription.stats.problem === undefined
      );
    });
    await producer.commit(["c"]);
    await eventually("c is finished", () => [...second.finished, ...third.finished].includes("c"));
    expect([...second.finished, ...third.finished]).toEqual(["c"]);
  });

  test("aborted records are read by nobody, also where transactions overlap", async () => {
    const { topic, group } = await openTopic();
    await using one = await TransactionalProducer.open(kafka.brokers, topic);
    await using two = await TransactionalProducer.open(kafka.brokers, topic);
    const long = await one.begin();
    await long.send(["long 0", "long 1"]);
    const short = await two.begin();
    await short.send(["short 2", "short 3"], "\0\0\0\0"); // the bytes of an abort marker's key
    await long.send(["long 4"]);
    await short.abort();
    await long.send(["long 6"]);
    await long.abort();
    await two.commit(["good 8"]);
    expect((await readAll(log, topic)).map(textOf)).toEqual(["good 8"]);
    expect((await readAll(log, topic, 0, 4)).map(textOf)).toEqual(["good 8"]);
    await using reader = await EventLogReader.open(log, { topic, group });
    await reader.untilFinished(1);
    expect(reader.finished).toEqual(["good 8"]);
  });

  test("what is behind an open transaction is counted apart from the lag, with since when", async () => {
    const { topic, group } = await openTopic();
    await using producer = await TransactionalProducer.open(kafka.brokers, topic);
    await using reader = await EventLogReader.open(log, { topic, group });
    await publishTexts(log, topic, ["before"]);
    const open = await producer.begin();
    await open.send(["in it"]);
    await publishTexts(log, topic, ["behind it"]);
    await untilCommitted(topic, group, 1);
    const lag = await eventually("it grows old", async () => {
      const now = await lagOf(topic, group);
      return (now?.openTransaction?.seconds ?? 0) > 0.5 && now;
    });
    expect(lag).toMatchObject({
      ...{ committed: 1, records: 0, seconds: 0 },
      openTransaction: { offset: 1, records: 2, seconds: expect.any(Number) },
    });
    expect(reader.finished).toEqual(["before"]);
    await open.commit();
    await reader.untilFinished(3);
    await untilCommitted(topic, group, 4);
    expect(await lagOf(topic, group)).toEqual({
      partition: 0,
      owner: expect.any(String),
      committed: 4,
      records: 0,
      seconds: 0,
    });
  });

  test("a group that never ran has only readable records as its lag", async () => {
    const { topic, group } = await openTopic();
    await using producer = await TransactionalProducer.open(kafka.brokers, topic);
    await producer.abort(["never"]);
    expect(await lagOf(topic, group)).toMatchObject({ records: 0, seconds: 0 });
    await producer.commit(["a", "b"]);
    await producer.abort(["never"]);
    expect(await lagOf(topic, group)).toMatchObject({ committed: 0, records: 2 });
  });

  test("doctor says the command that brings a group back that is out of range", async () => {
    const { topic, group } = await openTopic();
    const first = await EventLogReader.open(log, { topic, group });
    await publishTexts(log, topic, ["a"]);
    await untilCommitted(topic, group, 1);
    const look = async () => {
      const { findings } = await examineWith({
        KAFKA_BROKERS: kafka.brokers,
        KAFKA_TOPIC_EMAIL_EVENTS: topic,
        KAFKA_CONSUMER_GROUP: group,
      });
      return findings.find(({ check }) => check === "kafka.offset");
    };
    expect(await look()).toBeUndefined();
    await first.stop();
    await publishTexts(log, topic, ["lost", "left"]);
    await truncateKafkaTopic(kafka.brokers, topic, 2);
    const found = await look();
    expect(found).toMatchObject({
      level: "fault",
      text: expect.stringContaining("partition 0: the group is at 1, the log begins at 2"),
    });
    const { failed } = (await EventLogReader.open(log, { topic, group })).subscription;
    const command = /kafka-consumer-groups\.sh (.+)$/.exec(found?.fix ?? "")?.[1] ?? "none";
    await expect(failed).rejects.toMatchObject({ detail: expect.stringContaining(command) });
    const tool = "org.apache.kafka.tools.consumer.group.ConsumerGroupCommand";
    const classPath = `${process.env["TEST_KAFKA_LIBS"]}/*`;
    await eventually("the group is empty, and the command works", async () => {
      const run = Bun.spawn(["java", "-cp", classPath, tool, ...command.split(" ")]);
      return (await run.stdout.text()).includes(group) && (await run.exited) === 0;
    });
    await using second = await EventLogReader.open(log, { topic, group });
    expect(await second.untilFinished(1)).toEqual(["left"]);
    expect(await look()).toBeUndefined();
  });

  test("doctor names a transaction that was left open, and its command ends it", async () => {
    const { topic, group } = await openTopic();
    await using producer = await TransactionalProducer.open(kafka.brokers, topic);
    const open = await producer.begin();
    await open.send(["left"], undefined, Date.now() - 3_600_000);
    await publishTexts(log, topic, ["behind it"]);
    const { findings } = await examineWith({
      KAFKA_BROKERS: kafka.brokers,
      KAFKA_TOPIC_EMAIL_EVENTS: topic,
      KAFKA_CONSUMER_GROUP: group,
    });
    const found = findings.find(({ check }) => check === "kafka.transaction");
    expect(found).toMatchObject({
      level: "fault",
      text: expect.stringMatching(
        /began at offset 0 of .*, partition 0, has been open for 1h: up to 2 events/,
      ),
    });
    const command = /kafka-transactions\.sh (\S+ \S+ abort .+)$/.exec(found?.fix ?? "")?.[1] ?? "";
    const tool = "org.apache.kafka.tools.TransactionsCommand";
    const classPath = `${process.env["TEST_KAFKA_LIBS"]}/*`;
    const run = Bun.spawn(["java", "-cp", classPath, tool, ...command.split(" ")]);
    expect(await run.exited).toBe(0);
    await using reader = await EventLogReader.open(log, { topic, group });
    expect(await reader.untilFinished(1)).toEqual(["behind it"]);
  });
});
