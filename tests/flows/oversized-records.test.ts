import { expect, test } from "bun:test";
import { readFileSync } from "node:fs";
import { topicSpecs } from "../../src/email/event.ts";
import { findEngine } from "../../support/engines.ts";
import { welcomeEvent } from "../../support/events.ts";
import { eventually } from "../../support/eventually.ts";
import { TransactionalProducer } from "../../support/kafka-logs.ts";
import { openServiceRig, urlOf } from "../../support/service-rig.ts";

const [program, kafka, redis, kcat] = ["instant", "kafka", "redis", "kcat"].map(
  (name) => findEngine(name as "instant") ?? "",
) as [string, string, string, string];
const complete = [program, kafka, redis, kcat].every((engine) => engine !== "");
const partitions = 24;

/** The most resident memory that a process ever had. */
function peakMb(pid: number): number {
  const status = readFileSync(`/proc/${pid}/status`, "utf8");
  return Number(/VmHWM:\s+(\d+) kB/.exec(status)?.[1] ?? 0) / 1024;
}

test.skipIf(!complete)(
  "records that decompress to 300 MB cost neither memory nor the place in the group, and a dead letter that cannot be written is reported",
  async () => {
    await using rig = await openServiceRig({ program, kafka, redis });
    const deadLetters = `${rig.eventsTopic}-late`;
    const worker = rig.start(["serve-email"], { KAFKA_TOPIC_EMAIL_DLQ: deadLetters });
    const url = await urlOf(worker, "Email service started");
    await worker.ready(`${url}/readyz`);
    const before = peakMb(worker.pid);
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
    const grown = peakMb(worker.pid) - before;
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
    const most = peakMb(worker.pid);
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
