import { describe, expect, test } from "bun:test";
import { join } from "node:path";
import { silentLog } from "../../src/core/log.ts";
import { openSqlite } from "../../src/core/sqlite/database.ts";
import { topicSpecs } from "../../src/email/event.ts";
import { openSqliteEventLog } from "../../src/email/event-log/sqlite/sqlite.ts";
import { openSqliteDeliveryLedger } from "../../src/email/ledger/sqlite.ts";
import { findEngine } from "../../support/engines.ts";
import { codeEvent } from "../../support/events.ts";
import { eventually } from "../../support/eventually.ts";
import { InstantProcess } from "../../support/instant-process.ts";
import {
  findSubmitting,
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

  test("lose nothing when one is killed, and send twice only what was in `submitting`", async () => {
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
  test("under load ends the worker with 0; the rest is sent later, and nothing twice", async () => {
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

  test("twice ends it at once, even when the SMTP server does not answer", async () => {
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
