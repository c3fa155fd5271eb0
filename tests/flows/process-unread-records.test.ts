import { expect, test } from "bun:test";
import { readFileSync } from "node:fs";
import { topicSpecs } from "../../src/email/event.ts";
import { findEngine } from "../../support/engines.ts";
import { welcomeEvent } from "../../support/events.ts";
import { eventually } from "../../support/eventually.ts";
import { openServiceRig, urlOf } from "../../support/service-rig.ts";

const [program, kafka, redis, kcat] = ["instant", "kafka", "redis", "kcat"].map(
  (name) => findEngine(name as "instant") ?? "",
) as [string, string, string, string];
const complete = [program, kafka, redis, kcat].every((engine) => engine !== "");

/** The most it ever held. */
function residentMbMost(pid: number): number {
  const status = readFileSync(`/proc/${pid}/status`, "utf8");
  return Number(/VmHWM:\s+(\d+) kB/.exec(status)?.[1] ?? 0) / 1024;
}

test.skipIf(!complete)(
  "300 MB in a record cost serve-email neither memory nor its place in the group; while its dead letter cannot be written, it says so",
  async () => {
    await using rig = await openServiceRig({ program, kafka, redis });
    const deadLetters = `${rig.eventsTopic}-late`;
    const worker = rig.start(["serve-email"], { KAFKA_TOPIC_EMAIL_DLQ: deadLetters });
    const url = await urlOf(worker, "Email service started");
    await worker.ready(`${url}/readyz`);
    const before = residentMbMost(worker.pid);
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
    const isSaid = async () =>
      (await readiness()).reasons?.find((each) => each.startsWith(reason)) !== undefined;
    await eventually("it is not ready", isSaid, 60_000);
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
    const grown = residentMbMost(worker.pid) - before;
    console.log(`grew by ${grown.toFixed(0)} MB over ${before.toFixed(0)}`);
    expect(grown).toBeLessThan(250);
  },
  120_000,
);
