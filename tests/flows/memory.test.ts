import { describe, expect, test } from "bun:test";
import { readFileSync } from "node:fs";
import { join } from "node:path";
import { createLog, silentLog } from "../../src/core/log.ts";
import { warnOfEviction } from "../../src/core/redis/diagnose.ts";
import { encodeEmailEvent, eventKey, topicSpecs } from "../../src/email/event.ts";
import { openKafkaEventLog } from "../../src/email/event-log/kafka/kafka.ts";
import { findEngine } from "../../support/engines.ts";
import { welcomeEvent } from "../../support/events.ts";
import { eventually } from "../../support/eventually.ts";
import { InstantProcess } from "../../support/instant-process.ts";
import { hasRedisServer, openOwnRedis, openRedisAt } from "../../support/own-redis.ts";
import { temporaryDirectory } from "../../support/temporary-directory.ts";
import { openDeliveryRig } from "../support/delivery-rig.ts";

const complete = hasRedisServer();
const mails = () => Array.from({ length: 40 }, () => welcomeEvent());

describe.skipIf(!complete)("a ledger whose Redis has too little memory", () => {
  test("with noeviction pauses delivery, says why, and each mail is sent once when there is more", async () => {
    await using redis = await openOwnRedis();
    await using admin = await openRedisAt(redis.url);
    await using rig = await openDeliveryRig({ redis: redis.url });
    const worker = await rig.startWorker();
    await admin.run((client) => client.config("SET", "maxmemory", "1"));
    const events = mails();
    for (const event of events) await rig.publish(event);
    await eventually("delivery is paused", () => worker.pausedReasons.length > 0);
    expect(worker.pausedReasons[0]).toContain("maxmemory");
    expect(rig.sink.acceptedTotal).toBe(0);
    await admin.run((client) => client.config("SET", "maxmemory", "0"));
    await rig.untilDrained();
    expect([...rig.sink.countByMessageId().values()]).toEqual(events.map(() => 1));
  });

  test("that evicts forgets what was sent: a second delivery is a second mail, but none is lost", async () => {
    await using redis = await openOwnRedis();
    await using admin = await openRedisAt(redis.url);
    await using rig = await openDeliveryRig({ redis: redis.url });
    await rig.startWorker();
    const events = mails();
    for (const event of events) await rig.publish(event);
    await rig.untilDrained();
    await admin.run((client) => client.flushdb()); // what an eviction does to each of them
    for (const event of events) await rig.publish(event);
    await rig.untilDrained();
    expect([...rig.sink.countByMessageId().values()]).toEqual(events.map(() => 2));
  });

  test("that may evict is warned of when it is opened", async () => {
    await using redis = await openOwnRedis({ args: ["--maxmemory-policy", "allkeys-lru"] });
    await using client = await openRedisAt(redis.url);
    const lines: string[] = [];
    const write = (line: string) => lines.push(line);
    await warnOfEviction(client, createLog({ service: "test", level: "info", write }));
    expect(lines.join("")).toContain('"policy":"allkeys-lru"');
    await client.run((each) => each.config("SET", "maxmemory-policy", "noeviction"));
    await warnOfEviction(client, createLog({ service: "test", level: "info", write }));
    expect(lines).toHaveLength(1);
  });
});

const kafka = findEngine("kafka");
const program = findEngine("instant");
const waiting = Number(process.env["TEST_BACKLOG_RECORDS"] ?? 100_000);
const residentMbMax = 200;

function residentMb(pid: number): number {
  const status = readFileSync(`/proc/${pid}/status`, "utf8");
  return Number(/VmRSS:\s+(\d+) kB/.exec(status)?.[1] ?? 0) / 1024;
}

describe.skipIf(kafka === undefined || program === undefined)(
  "a backlog behind a server that is down",
  () => {
    test(`costs no memory, however long it is (TEST_BACKLOG_RECORDS=${waiting})`, async () => {
      using directory = temporaryDirectory();
      const name = `t${crypto.randomUUID().slice(0, 8)}`;
      const connection = { brokers: [kafka ?? ""], ssl: false, caFile: undefined, sasl: undefined };
      await using eventLog = await openKafkaEventLog({ connection, log: silentLog });
      const topics = { events: name, deadLetters: `${name}-dlq`, partitions: 3 };
      await eventLog.createTopics(topicSpecs({ ...topics, replicationFactor: 1 }), { grow: false });
      for (let published = 0; published < waiting; published += 5000) {
        const records = Array.from({ length: 5000 }, () => {
          const event = welcomeEvent();
          return { key: eventKey(event), value: encodeEmailEvent(event), headers: [] };
        });
        await eventLog.publish(name, records, { deadlineMs: 60_000 });
      }
      await using worker = new InstantProcess(["serve-email"], {
        program: program ?? "",
        directory: directory.path,
        environment: {
          KAFKA_BROKERS: kafka ?? "",
          KAFKA_TOPIC_EMAIL_EVENTS: topics.events,
          KAFKA_TOPIC_EMAIL_DLQ: topics.deadLetters,
          KAFKA_CONSUMER_GROUP: name,
          EMAIL_MODE: "smtp",
          SMTP_HOST: "127.0.0.1",
          SMTP_PORT: "1",
          SMTP_TLS: "none",
          SMTP_FROM: "noreply@example.com",
          EMAIL_SERVICE_PORT: "0",
          DATA_DIR: join(directory.path, "data"),
        },
      });
      await eventually("delivery is paused", () => worker.findLogs("Delivery paused")[0], 60_000);
      const samples: number[] = [];
      for (let second = 0; second < 8; second += 1) {
        await Bun.sleep(1000); // what it needs after some probes
        samples.push(residentMb(worker.pid));
      }
      expect(Math.max(...samples)).toBeLessThan(residentMbMax);
      const lag = await eventLog.lag(name, name);
      expect(lag.reduce((sum, { records }) => sum + records, 0)).toBe(waiting);
      expect(await worker.stop()).toBe(0);
      console.log(`${waiting} waiting: at most ${Math.max(...samples).toFixed(0)} MB resident`);
    }, 300_000);
  },
);
