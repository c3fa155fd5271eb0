import { eventually } from "../../support/eventually.ts";
import { findSubmitting } from "../../support/service-rig.ts";
import type { SinkRule } from "../../support/smtp-sink/behaviour.ts";
import type { Played, Stage } from "./stage.ts";
import { progress } from "./stage.ts";
import { findAmbiguous } from "./tally.ts";

/** The backlog of an outage is drained within this, from the first successful probe on. */
const drainedWithinMs = 10_000;

/** RFC 5321, 3.8: a server that shuts down answers 421 to new connections and the next command. */
const shuttingDown: readonly SinkRule[] = (["connect", "mail"] as const).map((at) => ({
  at,
  does: { kind: "reply", text: "421 4.3.2 shutting down", close: true },
}));

/** The server finishes the messages it has begun, then stops listening. */
export async function shutDownSmtp(stage: Stage): Promise<Played> {
  const { row, load } = stage;
  const { sink } = row;
  sink.setBehaviour(shuttingDown);
  await untilPaused(stage);
  // A message begun before is accepted, and its reply read, before the connections end.
  await eventually("it finished", () => sink.reachedTotal.rcpt === sink.acceptedTotal);
  await eventually("the replies are read", async () => {
    return (await findSubmitting(row.ledger, load.events)).size === 0;
  });
  await sink.refuse();
  return { note: await recover(stage) };
}

/** As with a locked account: nothing is wrong with any recipient. */
export async function denyEverybody(stage: Stage): Promise<Played> {
  const { sink } = stage.row;
  const does = { kind: "reply", text: "554 5.7.1 relay access denied" } as const;
  sink.setBehaviour([{ at: "rcpt", does }]);
  await untilPaused(stage);
  await Bun.sleep(2000); // a probe or two
  return { note: await recover(stage, 0) };
}

/** How the first of two servers fails, in the order of a session. */
interface FailingPhase {
  readonly name: string;
  /** Unset: it does not listen. */
  readonly rule?: SinkRule;
  /** Connections in use are past that phase: they are cut, wherever they are. */
  readonly opening?: boolean;
  /** What was written may have been accepted; such a mail moves to no other server. */
  readonly ambiguous?: boolean;
}

const drop = { kind: "drop" } as const;
const closing = (text: string) => ({ kind: "reply", text, close: true }) as const;
const fewLost = 6;
const failingPhases: readonly FailingPhase[] = [
  { name: "connect", opening: true },
  { name: "greeting lost", rule: { at: "connect", does: drop }, opening: true },
  {
    name: "greeting",
    rule: { at: "connect", does: closing("554 5.3.2 no service") },
    opening: true,
  },
  { name: "EHLO", rule: { at: "ehlo", does: closing("421 4.3.2 shutting down") }, opening: true },
  {
    name: "AUTH",
    rule: { at: "auth", does: { kind: "reply", text: "454 4.7.0 cannot check" } },
    opening: true,
  },
  { name: "MAIL", rule: { at: "mail", does: drop } },
  { name: "RCPT lost", rule: { at: "rcpt", does: drop } },
  {
    name: "RCPT",
    rule: { at: "rcpt", does: { kind: "reply", text: "554 5.7.1 relay access denied" } },
  },
  { name: "DATA", rule: { at: "data", does: drop } },
  { name: "content", rule: { at: "content", does: drop, times: fewLost }, ambiguous: true },
  { name: "dot, closing", rule: { at: "dot", does: closing("421 4.3.2 shutting down") } },
  { name: "dot", rule: { at: "dot", does: { kind: "reply", text: "451 4.3.0 cannot write" } } },
  {
    name: "after the dot",
    rule: { at: "dot", does: { ...drop, count: true }, times: fewLost },
    ambiguous: true,
  },
];
const phaseMs = 700;

/**
 * The second one gets the mails meanwhile, the first again once it works. Only where a reply
 * was lost, or a connection was cut, may a mail be ambiguous.
 */
export async function failAtEachPhase(stage: Stage): Promise<Played> {
  const { row, load, scale } = stage;
  const breaches: string[] = [];
  const played = failingPhases.filter((_, index) => scale.everyPhase || index % 4 === 0);
  for (const phase of played) {
    const before = await findAmbiguous(row, load.events);
    await failAt(stage, phase);
    const after = await findAmbiguous(row, load.events);
    const mayBeMore = phase.opening === true || phase.ambiguous === true;
    if (after.size > before.size && !mayBeMore) breaches.push(`ambiguous at ${phase.name}`);
  }
  await load.stop();
  await row.untilDrained();
  const windows = [
    await findAmbiguous(row, load.events),
    await findAmbiguous(row, load.events, 2), // sent again, and that reply was lost too
  ];
  const note = `${played.map(({ name }) => name).join(", ")}; ${row.secondSink.acceptedTotal} mails by the second`;
  return { windows, breaches, note };
}

async function failAt({ row }: Stage, { name, rule, opening, ambiguous }: FailingPhase) {
  const { sink, secondSink } = row;
  const bySecond = secondSink.acceptedTotal;
  const reached = rule === undefined ? 0 : sink.reachedTotal[rule.at];
  if (rule === undefined) await sink.refuse();
  else sink.setBehaviour([rule]);
  if (opening) sink.dropConnections();
  if (ambiguous && rule !== undefined) {
    await eventually("replies are lost", () => sink.reachedTotal[rule.at] >= reached + fewLost);
  } else {
    await eventually(`the second gets them: ${name}`, () => secondSink.acceptedTotal > bySecond);
  }
  await Bun.sleep(phaseMs);
  sink.setBehaviour([]);
  await sink.listen();
  await progress(row); // the first gets them again
}

/**
 * More mails come than it accepts: it refuses what is beyond its rate with the reply that says so,
 * and accepts the rest at its own pace.
 */
export async function throttle({ row, load, worker, scale }: Stage): Promise<Played> {
  const { sink } = row;
  const does = { kind: "reply", text: "454 Throttling failure: Maximum sending rate exceeded." };
  sink.setBehaviour([
    { at: "dot", does: { ...does, kind: "reply" }, perSecondMax: scale.perSecondAccepted },
  ]);
  const [acceptedBefore, reachedBefore] = [sink.acceptedTotal, sink.reachedTotal.dot];
  const startedAt = performance.now();
  await Bun.sleep(scale.downMs);
  await load.stop();
  await row.untilDrained(120_000);
  const accepted = sink.acceptedTotal - acceptedBefore;
  const refused = sink.reachedTotal.dot - reachedBefore - accepted;
  const perSecond = accepted / ((performance.now() - startedAt) / 1000);
  if (refused === 0) throw new Error("nothing was throttled");
  const paused = worker.findLogs("Delivery paused").length;
  return {
    breaches: paused === 0 ? [] : ["delivery paused, though the server accepts mails"],
    note: `${perSecond.toFixed(0)} of ${scale.perSecondAccepted} a second, ${refused} deferred`,
  };
}

/** The server dies: of what was past its dot, nobody knows whether it was accepted. */
export async function tearSmtp(stage: Stage): Promise<Played> {
  const { row, load } = stage;
  await row.sink.refuse();
  await untilPaused(stage);
  const note = await recover(stage);
  return { note, windows: [await findAmbiguous(row, load.events)] };
}

async function untilPaused({ worker }: Stage): Promise<void> {
  await eventually("delivery is paused", () => worker.findLogs("Delivery paused").length > 0);
}

async function recover(
  { row, worker, load, scale }: Stage,
  downMs = scale.smtpDownMs,
): Promise<string> {
  const { sink } = row;
  await Bun.sleep(downMs);
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
  await row.untilDrained(drainedWithinMs); // querying Kafka is expensive: only now
  const seconds = (Date.now() - resumedAt) / 1000;
  if (seconds * 1000 > drainedWithinMs) throw new Error(`${waiting} mails took ${seconds} s`);
  return `${waiting} waiting mails sent within ${seconds.toFixed(1)} s`;
}
