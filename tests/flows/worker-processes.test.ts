import { describe, expect, test } from "bun:test";
import { join } from "node:path";
import { silentLog } from "../../src/core/log.ts";
import { openSqlite } from "../../src/core/sqlite/database.ts";
import type { EmailEvent } from "../../src/email/event.ts";
import { topicSpecs } from "../../src/email/event.ts";
import { openSqliteEventLog } from "../../src/email/event-log/sqlite/sqlite.ts";
import { openSqliteDeliveryLedger } from "../../src/email/ledger/sqlite.ts";
import { findEngine } from "../../support/engines.ts";
import { codeEvent } from "../../support/events.ts";
import { eventually } from "../../support/eventually.ts";
import { InstantProcess } from "../../support/instant-process.ts";
import {
  findSubmitting,
  openServiceRig,
  publishAll,
  sentTwice,
  smtpEnvironment,
} from "../../support/service-rig.ts";
import { openSmtpSink } from "../../support/smtp-sink/smtp-sink.ts";
import { temporaryDirectory } from "../../support/temporary-directory.ts";

const program = findEngine("instant") ?? "";
const [topic, group] = ["email-events", "email-service-group"];

/** One data directory with a number of workers on it, and 2,000 codes on its event log. */
async function openShared() {
  const stack = new AsyncDisposableStack();
  const directory = stack.use(temporaryDirectory()).path;
  const sink = stack.use(await openSmtpSink());
  const file = async (name: string) =>
    stack.use(await openSqlite(join(directory, ".instant", name)));
  const eventLog = stack.use(
    await openSqliteEventLog(await file("events.sqlite"), { log: silentLog }),
  );
  const ledger = await openSqliteDeliveryLedger({ database: await file("state.sqlite") });
  const topics = { events: topic, deadLetters: "email-events-dlq", partitions: 3 };
  await eventLog.createTopics(topicSpecs({ ...topics, replicationFactor: 1 }), { grow: false });
  const events = Array.from({ length: 2000 }, () => codeEvent());
  const environment = { ...smtpEnvironment(sink), EMAIL_SERVICE_PORT: "0" };
  return {
    ...{ sink, ledger, events },
    publish: () => publishAll(eventLog, topic, events),
    startWorker: () =>
      stack.use(new InstantProcess(["serve-email"], { program, directory, environment })),
    untilDrained: () =>
      eventually(
        "all are finished",
        async () => (await eventLog.lag(topic, group)).every(({ records }) => records === 0),
        60_000,
      ),
    [Symbol.asyncDispose]: () => stack.disposeAsync(),
  };
}

describe.skipIf(program === "")("two serve-email processes on one SQLite file", () => {
  test("send each mail once, and both work", async () => {
    await using shared = await openShared();
    const workers = [shared.startWorker(), shared.startWorker()];
    for (const worker of workers) {
      await eventually("it has started", () => worker.findLogs("Email service started")[0]);
    }
    await shared.publish();
    await shared.untilDrained();
    const counts = [...shared.sink.countByMessageId().values()];
    expect(counts).toEqual(shared.events.map(() => 1));
    for (const worker of workers) {
      expect(worker.findLogs("Email sent successfully").length).toBeGreaterThan(100);
    }
  }, 90_000);

  test("lose nothing when one is killed, and double only what was in `submitting`", async () => {
    await using shared = await openShared();
    const [first] = [shared.startWorker(), shared.startWorker()];
    await shared.publish();
    await eventually("some are sent", () => shared.sink.acceptedTotal > 600, 60_000);
    await first?.stop("SIGKILL");
    const submitting = await findSubmitting(shared.ledger, shared.events);
    expect(shared.sink.acceptedTotal).toBeLessThan(shared.events.length);
    await shared.untilDrained();
    expect(shared.sink.countByMessageId().size).toBe(shared.events.length);
    expect(sentTwice(shared.sink).filter((id) => !submitting.has(id))).toEqual([]);
  }, 90_000);
});

describe.skipIf(program === "")("SIGTERM", () => {
  test("amid a load ends the worker with 0, what is left is sent later, and nothing twice", async () => {
    await using shared = await openShared();
    shared.sink.setBehaviour([{ at: "dot", does: { kind: "delay", ms: 30 } }]);
    const worker = shared.startWorker();
    await shared.publish();
    await eventually("mails flow", () => shared.sink.acceptedTotal > 100, 60_000);
    const stoppedAt = performance.now();
    expect(await worker.stop("SIGTERM")).toBe(0);
    expect(performance.now() - stoppedAt).toBeLessThan(10_000);
    expect(shared.sink.acceptedTotal).toBeLessThan(shared.events.length);
    shared.sink.setBehaviour([]);
    shared.startWorker();
    await shared.untilDrained();
    const counts = [...shared.sink.countByMessageId().values()];
    expect(counts).toEqual(shared.events.map(() => 1));
  }, 90_000);

  test("twice ends it at once, also when the server does not answer", async () => {
    await using shared = await openShared();
    shared.sink.setBehaviour([{ at: "dot", does: { kind: "hang" } }]);
    const worker = shared.startWorker();
    await shared.publish();
    await shared.sink.reaches("dot");
    const startedAt = performance.now();
    const ended = worker.stop("SIGTERM");
    await eventually("it is stopping", () => worker.output.includes("Stopping"));
    process.kill(worker.pid, "SIGTERM");
    expect(await ended).toBe(1);
    expect(performance.now() - startedAt).toBeLessThan(1500);
  }, 90_000);
});

const kafka = findEngine("kafka") ?? "";
const redis = findEngine("redis") ?? "";
const complete = kafka !== "" && redis !== "" && program !== "";

/** Codes that live for an hour. */
function hourCodes(count: number): EmailEvent[] {
  return Array.from({ length: count }, () => {
    const event = codeEvent();
    const data = { code: "402817", expires_in: "1h" };
    return {
      ...event,
      eventType: "verification_code",
      data,
      expiresAt: event.timestamp + 3_600_000,
    };
  });
}

describe.skipIf(!complete)("serve-email killed with SIGKILL", () => {
  test("amid 10,000 codes: each is accepted, and none twice but those in `submitting`", async () => {
    await using rig = await openServiceRig({ program, kafka, redis });
    const events = hourCodes(10_000);
    await rig.publish(events);
    const first = rig.start(["serve-email"]);
    await eventually("half are sent", () => rig.sink.acceptedTotal > 5000, 60_000);
    await first.stop("SIGKILL");
    const submitting = await findSubmitting(rig.ledger, events);
    rig.start(["serve-email"]);
    await rig.untilDrained();
    expect(rig.sink.countByMessageId().size).toBe(events.length);
    const twice = sentTwice(rig.sink);
    expect(twice.filter((id) => !submitting.has(id))).toEqual([]);
    expect(twice.filter((id) => (rig.sink.countByMessageId().get(id) ?? 0) > 2)).toEqual([]);
  }, 120_000);
});

describe.skipIf(!complete)("several serve-email processes of one group", () => {
  test("send each mail once while one joins and one leaves", async () => {
    await using rig = await openServiceRig({ program, kafka, redis });
    const events = hourCodes(3000);
    rig.sink.setBehaviour([{ at: "dot", does: { kind: "delay", ms: 20 } }]);
    const [first] = [rig.start(["serve-email"]), rig.start(["serve-email"])];
    await rig.publish(events);
    await eventually("mails flow", () => rig.sink.acceptedTotal > 300, 60_000);
    rig.start(["serve-email"]);
    await eventually("more flow", () => rig.sink.acceptedTotal > 1000, 60_000);
    expect(await first?.stop("SIGTERM")).toBe(0);
    await rig.untilDrained();
    expect(rig.sink.countByMessageId().size).toBe(events.length);
    expect(sentTwice(rig.sink)).toEqual([]);
  }, 120_000);

  test("lose and double nothing when all three are restarted one after the other", async () => {
    await using rig = await openServiceRig({ program, kafka, redis });
    const events = hourCodes(3000);
    rig.sink.setBehaviour([{ at: "dot", does: { kind: "delay", ms: 20 } }]);
    const running = [1, 2, 3].map(() => rig.start(["serve-email"]));
    for (const [round, old] of running.entries()) {
      await rig.publish(events.slice(round * 1000, (round + 1) * 1000));
      const before = rig.sink.acceptedTotal;
      await eventually("mails flow", () => rig.sink.acceptedTotal > before + 200, 60_000);
      expect(await old.stop("SIGTERM")).toBe(0);
      rig.start(["serve-email"]);
    }
    await rig.untilDrained();
    expect(rig.sink.countByMessageId().size).toBe(events.length);
    expect(sentTwice(rig.sink)).toEqual([]);
  }, 120_000);
});
