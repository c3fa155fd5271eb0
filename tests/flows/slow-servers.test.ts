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
  test("3,000 mails delays nobody's code, and no mail is given up", async () => {
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

  test("gets its mails on schedule from a restarted worker, and not all at once", async () => {
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
    await eventually("the next attempts are 8 s off", enough, 60_000);
    await first.stop();
    const before = await attempts();
    const triedBefore = rig.sink.reachedTotal.rcpt;
    const second = await rig.startWorker();
    const waiting = () => second.subscription?.stats.deferred === events.length;
    await eventually("the new one waits for their time", waiting, 10_000);
    expect(rig.sink.reachedTotal.rcpt - triedBefore).toBeLessThan(events.length / 2);
    rig.sink.setBehaviour([]);
    await rig.untilDrained(60_000);
    for (const { messageId } of events) expect(rig.sink.countByMessageId().get(messageId)).toBe(1);
    expect(Math.min(...before)).toBeGreaterThanOrEqual(4);
    expect((await attempts()).every((count, index) => count >= (before[index] ?? 0))).toBe(true);
  }, 120_000);
});

const throttledMails = 200;
const perSecondMax = 14;

test("200 mails to a server that takes 14 a second are all accepted, at about that rate", async () => {
  const kinds: string[] = [];
  await using rig = await openDeliveryRig({ onOutcome: ({ kind }) => kinds.push(kind) });
  const does = { kind: "reply", text: "454 Throttling failure: Maximum sending rate exceeded." };
  rig.sink.misbehave({ at: "dot", does: { ...does, kind: "reply" }, perSecondMax });
  for (let mail = 0; mail < throttledMails; mail += 1) {
    await rig.publish(codeEvent({ recipient: `a${mail}@example.com` }));
  }
  const startedAt = performance.now();
  await rig.startWorker();
  await rig.untilDrained(60_000);
  const seconds = (performance.now() - startedAt) / 1_000;
  expect(rig.sink.acceptedTotal).toBe(throttledMails);
  expect([...rig.sink.countByMessageId().values()].every((count) => count === 1)).toBe(true);
  expect(kinds.filter((kind) => kind === "server_down" || kind === "dead_letter")).toEqual([]);
  expect(rig.lines.some(({ msg }) => msg === "Email deferred, will try again")).toBe(false);
  expect(seconds).toBeLessThan((throttledMails / perSecondMax) * 1.5);
}, 90_000);

/** Stands for 15 s, and 45 s in submitting. */
const lease = { leaseMs: 300, finalReplyTimeoutMs: 20_000 };
const slow = { at: "dot", does: { kind: "delay", ms: 3_000 } } as const;

describe("A server that answers the final dot long after the lease", () => {
  test("gets each mail once: its owner renews the lease and waits", async () => {
    await using rig = await openDeliveryRig(lease);
    await rig.startWorker();
    rig.sink.setBehaviour([slow]);
    const events = [codeEvent(), welcomeEvent()];
    for (const event of events) await rig.publish(event);
    await rig.sink.reaches("dot");
    await rig.startWorker({ group: `${rig.group}-2` }); // it would take the mail over
    await rig.untilDrained();
    await rig.untilDrained(undefined, `${rig.group}-2`);
    for (const { messageId } of events) {
      expect(rig.sink.countByMessageId().get(messageId)).toBe(1);
      const record = await rig.ledger.find(messageId);
      expect(record?.history.map(({ state }) => state)).toEqual([
        "claimed",
        "submitting",
        "accepted",
      ]);
    }
    expect(await rig.deadLetters()).toEqual([]);
  });

  test("gets no code again that expired before the answer was lost", async () => {
    await using rig = await openDeliveryRig({ ...lease, finalReplyTimeoutMs: 2_500 });
    await rig.startWorker();
    rig.sink.setBehaviour([{ at: "dot", does: { kind: "hang", count: true } }]);
    const event = codeEvent({ timestamp: Date.now() - 598_500 });
    await rig.publish(event);
    await rig.untilDrained();
    expect(rig.sink.countByMessageId().get(event.messageId)).toBe(1);
    await eventually("it is a dead letter", async () => (await rig.deadLetters()).length === 1);
  });

  test("does not keep a mailer from closing: the mail is ambiguous", async () => {
    await using rig = await openDeliveryRig(lease);
    rig.sink.setBehaviour([{ at: "dot", does: { kind: "hang" } }]);
    const reached = rig.sink.reaches("dot");
    const message = { messageId: "m1", to: "a@example.com", subject: "s", text: "t", html: "h" };
    const sending = rig.mailer.send(message, { beforeContentEnds: async () => true });
    await reached;
    await rig.mailer.close();
    expect(await sending).toMatchObject({ kind: "ambiguous" });
  });
});
