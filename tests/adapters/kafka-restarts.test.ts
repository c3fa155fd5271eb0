import { expect, test } from "bun:test";
import { createLog } from "../../src/core/log.ts";
import { eventually } from "../../support/eventually.ts";
import { openKafkaLogAt } from "../../support/kafka-logs.ts";
import { hasOwnKafka, openOwnKafka } from "../../support/own-kafka.ts";
import { topicSpec } from "../contract/event-log-harness.ts";
import { EventLogReader, numbered, publishTexts, readAll, textOf } from "../support/event-logs.ts";

/** A broker of its own per test: these stop it. Kafka needs some seconds for each start. */
const withinMs = 90_000;
const hasOwn = hasOwnKafka();

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
