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
  await sink.refuse();
  return { note: await comeBack(stage) };
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

async function comeBack({ row, worker, load, scale }: Stage): Promise<string> {
  const { sink } = row;
  await Bun.sleep(scale.smtpAwayMs);
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
