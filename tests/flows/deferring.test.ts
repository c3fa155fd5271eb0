import { describe, expect, test } from "bun:test";
import { Metrics } from "../../src/core/metrics.ts";
import { systemClock } from "../../src/core/time.ts";
import { createWorkerMetrics } from "../../src/email/delivery/metrics.ts";
import type { EmailEvent } from "../../src/email/event.ts";
import { encodeEmailEvent, eventKey } from "../../src/email/event.ts";
import { LagReader } from "../../src/email/event-log/lag-reader.ts";
import { findEngine } from "../../support/engines.ts";
import { codeEvent, welcomeEvent } from "../../support/events.ts";
import { eventually } from "../../support/eventually.ts";
import type { DeliveryRig } from "../support/delivery-rig.ts";
import { openDeliveryRig } from "../support/delivery-rig.ts";

const kafka = findEngine("kafka");
const redis = findEngine("redis");
const engines = { kafka, redis, retryForMs: 4 * 3_600_000 };
const greylists = {
  at: "rcpt",
  recipient: "@slow.example",
  does: { kind: "reply", text: "451 4.7.1 greylisted, try later" },
} as const;

const slowMails = (count: number) =>
  Array.from({ length: count }, (_, index) =>
    welcomeEvent({ recipient: `person${index}@slow.example` }),
  );

async function publishAll(rig: DeliveryRig, events: readonly EmailEvent[]): Promise<void> {
  const records = events.map((event) => ({
    key: eventKey(event),
    value: encodeEmailEvent(event),
    headers: [],
  }));
  await rig.eventLog.publish(rig.eventsTopic, records, { deadlineMs: 10_000 });
}

describe.skipIf(kafka === undefined || redis === undefined)("A domain that defers", () => {
  test("3,000 mails keeps nobody's code, and no mail is given up", async () => {
    await using rig = await openDeliveryRig(engines);
    rig.sink.setBehaviour([greylists]);
    const worker = await rig.startWorker();
    await rig.publish(codeEvent());
    await eventually("mails flow", () => rig.sink.acceptedTotal === 1);
    await publishAll(rig, slowMails(3_000));
    const deferred = () => worker.subscription?.stats.deferred ?? 0;
    await eventually("far more are deferred than may be at work", () => deferred() > 2_500, 60_000);
    const latencies: number[] = [];
    for (let count = 1; count <= 20; count += 1) {
      const startedAt = performance.now();
      await rig.publish(codeEvent());
      await eventually("the code is sent", () => rig.sink.acceptedTotal === 1 + count, 10_000);
      latencies.push(performance.now() - startedAt);
    }
    expect(latencies.toSorted((a, b) => a - b)[10]).toBeLessThan(1_000);
    expect(worker.pausedReasons).toEqual([]);
    const metrics = new Metrics();
    const { eventLog, eventsTopic: topic, group } = rig;
    const lag = new LagReader({ eventLog, topic, group, clock: systemClock });
    createWorkerMetrics({ metrics, clock: systemClock, worker: () => worker, lag });
    const shown = await metrics.render();
    const records = [...shown.matchAll(/^instant_email_lag_records\S* (\d+)$/gm)];
    expect(records).toHaveLength(3);
    // Of 3,000 that are not committed some try again just now; the others are nobody's delay.
    for (const [, count] of records) expect(Number(count)).toBeLessThan(500);
    expect(await rig.deadLetters()).toEqual([]);
  }, 120_000);

  test("finds a worker that was started anew on the schedule, not all its mails at once", async () => {
    await using rig = await openDeliveryRig(engines);
    rig.sink.setBehaviour([greylists]);
    const first = await rig.startWorker();
    await rig.publish(codeEvent());
    await eventually("mails flow", () => rig.sink.acceptedTotal === 1);
    const events = slowMails(300);
    await publishAll(rig, events);
    const attempts = async () => {
      const records = await Promise.all(events.map(({ messageId }) => rig.ledger.find(messageId)));
      return records.map((record) => record?.attempts ?? 0);
    };
    const enough = async () => (await attempts()).every((count) => count >= 4);
    await eventually("the next tries are 8 s away", enough, 60_000);
    await first.stop();
    const before = await attempts();
    const asked = rig.sink.reachedTotal.rcpt;
    const second = await rig.startWorker();
    const waiting = () => second.subscription?.stats.deferred === events.length;
    await eventually("the new one waits for their time", waiting, 10_000);
    expect(rig.sink.reachedTotal.rcpt - asked).toBeLessThan(events.length / 2);
    rig.sink.setBehaviour([]);
    await rig.untilDrained(60_000);
    for (const { messageId } of events) expect(rig.sink.countByMessageId().get(messageId)).toBe(1);
    expect(Math.min(...before)).toBeGreaterThanOrEqual(4);
    expect((await attempts()).every((count, index) => count >= (before[index] ?? 0))).toBe(true);
  }, 120_000);
});
