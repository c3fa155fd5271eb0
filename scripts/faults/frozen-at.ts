import { eventually } from "../../support/eventually.ts";
import type { InstantProcess } from "../../support/instant-process.ts";
import { publishUntil } from "./kill-at.ts";
import { setMoment } from "./moment.ts";
import type { Phase } from "./phases.ts";
import { findPhase } from "./phases.ts";
import type { Tally } from "./tally.ts";
import { addTallies, countMails, findInWindow } from "./tally.ts";
import type { FaultRow, FaultWorld } from "./world.ts";

/** Where a worker that wakes may do harm: its next step, or what it said before, comes too late. */
export const frozenPhases: readonly Phase[] = [
  "after claim",
  "before the dot",
  "in submitting, before the dot",
  "after the dot, accepted",
  "after 250",
  "before commit",
].map(findPhase);

/** What a worker that woke still does: its longest wait is the reply timeout, 2 s. */
const afterglowMs = 3000;

/**
 * Freezes serve-email (SIGSTOP) at one moment of its work until another process has finished its
 * mails, wakes it, lets what was held go on, and counts when it has joined the group again.
 */
export async function freezeAt(world: FaultWorld, phase: Phase, times: number): Promise<Tally> {
  await using row = await world.openRow();
  const tallies: Tally[] = [];
  for (let time = 0; time < times; time += 1) tallies.push(await freezeOnce(row, phase));
  return addTallies(tallies);
}

async function freezeOnce(row: FaultRow, phase: Phase): Promise<Tally> {
  const moment = setMoment(row, phase);
  const frozen = row.startWorker();
  const events = await publishUntil(row, moment);
  process.kill(frozen.pid, "SIGSTOP");
  moment.over();
  const submitting = await findInWindow(row, events);
  const other = row.startWorker();
  await row.untilDrained();
  const joins = countJoins(frozen);
  process.kill(frozen.pid, "SIGCONT");
  moment.release();
  await eventually("it joined again", () => countJoins(frozen) > joins, 30_000);
  await Bun.sleep(afterglowMs);
  await row.untilDrained();
  const tally = await countMails(row, events, { ...phase, windows: [submitting] });
  await Promise.all([frozen.stop(), other.stop()]);
  return tally;
}

function countJoins(worker: InstantProcess): number {
  return worker.findLogs("Joined the consumer group").length;
}
