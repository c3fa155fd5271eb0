import { eventually } from "../../tests/support/eventually.ts";
import type { SinkRule } from "../../tests/support/smtp-sink/behaviour.ts";
import type { Played, Stage } from "./stage.ts";
import { findAmbiguous } from "./tally.ts";

/** After the first probe that succeeds, the backlog of an outage is gone within this. */
const drainedWithinMs = 10_000;

/** RFC 5321, 3.8: a server that closes says 421, to new connections and to the next command. */
const shuttingDown: readonly SinkRule[] = (["connect", "mail"] as const).map((at) => ({
  at,
  does: { kind: "reply", text: "421 4.3.2 shutting down", close: true },
}));

/** The server finishes what it has, then nobody listens. */
export async function shutDownSmtp(stage: Stage): Promise<Played> {
  const { sink } = stage.row;
  sink.setBehaviour(shuttingDown);
  await untilPaused(stage);
  // Those at the dot when the shutdown began still get their answer.
  await eventually("it finished", () => sink.reachedTotal.dot === sink.acceptedTotal);
  await sink.refuse();
  return { note: await comeBack(stage) };
}

/** Its account is locked, say: nothing is wrong with any recipient. */
export async function denyEverybody(stage: Stage): Promise<Played> {
  const { sink } = stage.row;
  const does = { kind: "reply", text: "554 5.7.1 relay access denied" } as const;
  sink.setBehaviour([{ at: "rcpt", does }]);
  await untilPaused(stage);
  await Bun.sleep(2000); // a trial or two
  return { note: await comeBack(stage, 0) };
}

/** Where a server certainly did not take the mail, whatever then happens to the connection. */
const phases: readonly (readonly [SinkRule["at"], SinkRule["does"]])[] = [
  ["connect", { kind: "drop" }],
  ["connect", { kind: "reply", text: "554 5.3.2 no service", close: true }],
  ["ehlo", { kind: "reply", text: "421 4.3.2 shutting down", close: true }],
  ["mail", { kind: "drop" }],
  ["rcpt", { kind: "drop" }],
  ["rcpt", { kind: "reply", text: "554 5.7.1 relay access denied" }],
  ["data", { kind: "drop" }],
  ["dot", { kind: "reply", text: "421 4.3.2 shutting down", close: true }],
  ["dot", { kind: "reply", text: "451 4.3.0 cannot write" }],
];
const phaseMs = 700;

/** The second one takes the mails meanwhile; the first has them again when it is well. */
export async function failAtEachPhase({ row, load, scale }: Stage): Promise<Played> {
  const played = phases.filter((_, index) => scale.everyPhase || index % 3 === 2);
  for (const [at, does] of played) {
    row.sink.setBehaviour([{ at, does }]);
    if (at === "connect" || at === "ehlo") row.sink.dropConnections(); // those in use don't come there
    const before = row.secondSink.acceptedTotal;
    await eventually(`the second takes them at ${at}`, () => row.secondSink.acceptedTotal > before);
    await Bun.sleep(phaseMs);
    row.sink.setBehaviour([]);
    const first = row.sink.acceptedTotal;
    await eventually("the first is used again", () => row.sink.acceptedTotal > first, 15_000);
  }
  const inWindow = await findAmbiguous(row, load.events);
  return { inWindow, note: `${row.secondSink.acceptedTotal} mails by the second` };
}

/** The server dies: what was past its dot is in nobody's hands. */
export async function tearSmtp(stage: Stage): Promise<Played> {
  const { row, load } = stage;
  await row.sink.refuse();
  await untilPaused(stage);
  const note = await comeBack(stage);
  return { note, inWindow: await findAmbiguous(row, load.events) };
}

async function untilPaused({ worker }: Stage): Promise<void> {
  await eventually("delivery is paused", () => worker.findLogs("Delivery paused").length > 0);
}

async function comeBack(
  { row, worker, load, scale }: Stage,
  awayMs = scale.smtpAwayMs,
): Promise<string> {
  const { sink } = row;
  await Bun.sleep(awayMs);
  await load.stop();
  const before = sink.acceptedTotal;
  const waiting = load.events.length - before;
  const resumed = worker.findLogs("Delivery resumed").length;
  sink.setBehaviour([]);
  await sink.listen();
  while (worker.findLogs("Delivery resumed").length <= resumed) await Bun.sleep(50);
  const resumedAt = Date.now();
  const isNearlySent = () => sink.acceptedTotal > before + 0.9 * waiting;
  await eventually("most waiting mails are sent", isNearlySent, drainedWithinMs);
  await row.untilDrained(drainedWithinMs); // asking Kafka costs: only now
  const seconds = (Date.now() - resumedAt) / 1000;
  if (seconds * 1000 > drainedWithinMs) throw new Error(`${waiting} mails took ${seconds} s`);
  return `${waiting} waiting mails sent within ${seconds.toFixed(1)} s`;
}
