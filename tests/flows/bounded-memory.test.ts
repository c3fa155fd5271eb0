import { describe, expect, test } from "bun:test";
import { readFileSync } from "node:fs";
import { join } from "node:path";
import { silentLog } from "../../src/core/log.ts";
import { encodeEmailEvent, eventKey, topicSpecs } from "../../src/email/event.ts";
import { openKafkaEventLog } from "../../src/email/event-log/kafka/kafka.ts";
import { findEngine } from "../../support/engines.ts";
import { welcomeEvent } from "../../support/events.ts";
import { eventually } from "../../support/eventually.ts";
import { InstantProcess } from "../../support/instant-process.ts";
import { kafkaConnectionTo, TransactionalProducer } from "../../support/kafka-logs.ts";
import { openServiceRig, urlOf } from "../../support/service-rig.ts";
import { temporaryDirectory } from "../../support/temporary-directory.ts";

const [program, kafka, redis, kcat] = ["instant", "kafka", "redis", "kcat"].map(
  (name) => findEngine(name as "instant") ?? "",
) as [string, string, string, string];
const complete = [program, kafka, redis, kcat].every((engine) => engine !== "");
const waiting = Number(process.env["TEST_BACKLOG_RECORDS"] ?? 100_000);
const residentMbMax = 200;
const partitions = 24;

/** Resident memory of a process, now (VmRSS) or at its peak (VmHWM). */
function residentMb(pid: number, field: "VmRSS" | "VmHWM"): number {
  const status = readFileSync(`/proc/${pid}/status`, "utf8");
  return Number(new RegExp(`${field}:\\s+(\\d+) kB`).exec(status)?.[1] ?? 0) / 1024;
}

describe.skipIf(kafka === "" || program === "")(
  "a backlog behind an SMTP server that is down",
  () => {
    test(`costs no memory, however long it is (TEST_BACKLOG_RECORDS=${waiting})`, async () => {
      using directory = temporaryDirectory();
      const name = `t${crypto.randomUUID().slice(0, 8)}`;
      const connection = kafkaConnectionTo(kafka);
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
        program,
        directory: directory.path,
        environment: {
          KAFKA_BROKERS: kafka,
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
        await Bun.sleep(1000); // what it holds after some probes
        samples.push(residentMb(worker.pid, "VmRSS"));
      }
      expect(Math.max(...samples)).toBeLessThan(residentMbMax);
      const lag = await eventLog.lag(name, name);
      expect(lag.reduce((sum, { records }) => sum + records, 0)).toBe(waiting);
      expect(await worker.stop()).toBe(0);
      console.log(`${waiting} waiting: at most ${Math.max(...samples).toFixed(0)} MB resident`);
    }, 300_000);
  },
);

test.skipIf(!complete)(
  "records that decompress to 300 MB cost neither memory nor the place in the group, and a dead letter that cannot be written is reported",
  async () => {
    await using rig = await openServiceRig({ program, kafka, redis });
    const deadLetters = `${rig.eventsTopic}-late`;
    const worker = rig.start(["serve-email"], { KAFKA_TOPIC_EMAIL_DLQ: deadLetters });
    const url = await urlOf(worker, "Email service started");
    await worker.ready(`${url}/readyz`);
    const before = residentMb(worker.pid, "VmHWM");
    await Promise.all(
      ["gzip", "zstd"].map(async (codec) => {
        const flags = ["-P", "-t", rig.eventsTopic, "-z", codec, "-p", "0"];
        const settings = ["-X", "message.max.bytes=400000000"];
        const path = `${rig.directory}/${codec}`;
        await Bun.write(path, Buffer.alloc(300 * 1024 * 1024, "z"));
        const child = Bun.spawn([kcat, "-b", kafka, ...flags, ...settings, path]);
        expect(await child.exited).toBe(0);
      }),
    );
    await rig.publish([welcomeEvent(), welcomeEvent(), welcomeEvent()]);

    const readiness = async () =>
      (await fetch(`${url}/readyz`)).json() as Promise<{ reasons?: string[] }>;
    const reason = "a dead letter has not been acknowledged for";
    const isReported = async () =>
      (await readiness()).reasons?.find((each) => each.startsWith(reason)) !== undefined;
    await eventually("it is not ready", isReported, 60_000);
    const metrics = async () => (await fetch(`${url}/metrics`)).text();
    expect(await metrics()).toContain('instant_email_paused{part="dead_letters"} 1');
    expect(await metrics()).toContain('instant_email_dead_letters_total{class="malformed"} 0');
    expect(await metrics()).toContain("instant_email_unwritten_dead_letters 2");

    const topics = { events: rig.eventsTopic, deadLetters, partitions: 3, replicationFactor: 1 };
    await rig.eventLog.createTopics(topicSpecs(topics), { grow: false });
    await rig.untilDrained();
    await worker.ready(`${url}/readyz`);
    expect(await metrics()).toContain('instant_email_dead_letters_total{class="malformed"} 2');
    expect(rig.sink.accepted.length).toBe(3);
    expect(worker.findLogs("Joined the consumer group").length).toBe(1);
    const grown = residentMb(worker.pid, "VmHWM") - before;
    console.log(`grew by ${grown.toFixed(0)} MB over ${before.toFixed(0)}`);
    expect(grown).toBeLessThan(250);
  },
  120_000,
);

test.skipIf(!complete)(
  "24 partitions, each with a record of almost the largest size, and a dead-letter topic with a larger one stay within memory",
  async () => {
    await using rig = await openServiceRig({ program, kafka, redis });
    const deadLetters = `${rig.eventsTopic}-dlq`;
    const topics = { events: rig.eventsTopic, deadLetters, partitions, replicationFactor: 1 };
    await rig.eventLog.createTopics(topicSpecs(topics), { grow: true });
    const path = `${rig.directory}/bomb`;
    await Bun.write(path, Buffer.alloc(15.9 * 1024 * 1024, "z"));
    const settings = ["-X", "message.max.bytes=400000000"];
    const bomb = async (topic: string, partition: number, file = path) => {
      const flags = ["-P", "-t", topic, "-z", "zstd", "-p", `${partition}`];
      const child = Bun.spawn([kcat, "-b", kafka, ...flags, ...settings, file]);
      expect(await child.exited).toBe(0);
    };
    for (let partition = 0; partition < partitions; partition += 1) {
      await bomb(rig.eventsTopic, partition);
    }
    const huge = `${rig.directory}/huge`;
    await Bun.write(huge, Buffer.alloc(100 * 1024 * 1024, "z"));
    await bomb(deadLetters, 0, huge);
    await rig.publish([welcomeEvent(), welcomeEvent(), welcomeEvent()]);
    const worker = rig.start(["serve-email"]);
    const url = await urlOf(worker, "Email service started");
    await Promise.all([fetch(`${url}/metrics`), fetch(`${url}/readyz`)]);
    await rig.untilDrained();
    expect(rig.sink.accepted.length).toBe(3);
    const metrics = await (await fetch(`${url}/metrics`)).text();
    expect(metrics).toContain('instant_email_dead_letters_total{class="malformed"} 24');
    const most = residentMb(worker.pid, "VmHWM");
    console.log(`at most ${most.toFixed(0)} MB`);
    expect(most).toBeLessThan(1_000); // 24 batches and their copies would be more
    const replay = rig.start(["replay-dlq", "--from-offset", "--yes"]);
    expect(await replay.end()).toBe(0);
    expect(replay.output).toMatch(/malformed +24 +0 +24 not whole\n.*unknown +1 +0 +1 not whole/);

    await using producer = await TransactionalProducer.open(kafka, rig.eventsTopic);
    const open = await producer.begin();
    await open.send(["left"], undefined, Date.now() - 150_000);
    const noticed = async () => {
      const answer = await fetch(`${url}/readyz`);
      const { notices = [] } = (await answer.json()) as { notices?: readonly string[] };
      return answer.status === 200 && notices[0];
    };
    expect(await eventually("it is noticed", noticed)).toContain("open for 2 min at offset");
    await open.abort();
    await eventually("it is over", async () => (await noticed()) === undefined);
  },
  120_000,
);
