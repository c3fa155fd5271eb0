/** Kills serve-email (SIGKILL), or freezes it (SIGSTOP), at one moment of its work. */
import type { EmailEvent } from "../../src/email/event.ts";
import { makeMails } from "../../support/events.ts";
import { eventually } from "../../support/eventually.ts";
import type { InstantProcess } from "../../support/instant-process.ts";
import type { Moment, Phase } from "./moments.ts";
import { setMoment } from "./moments.ts";
import type { Fault, Tally } from "./tally.ts";
import { addTallies, countMails, findInWindow, findTakenLate } from "./tally.ts";
import type { FaultRow, FaultWorld } from "./world.ts";
import { leaseMs } from "./world.ts";

export const mailsPerKill = 6;
/**
 * A mail that waited for its final reply is taken over after three leases, however long the reply
 * may take; then time to start, and to join a group after the dead member's session of 2 s.
 */
const takenOverWithinMs = 3 * leaseMs + 4000;
/** The longest that a woken worker still waits for something is the reply timeout, 2 s. */
const wokenMs = 3000;

/** Kills serve-email `kills` times, starts it again each time, and counts. */
export async function killAt(world: FaultWorld, phase: Phase, kills: number): Promise<Tally> {
  return repeat(world, kills, (row) => killOnce(row, phase));
}

/**
 * Freezes serve-email `times` times until another process has finished its mails, wakes it,
 * releases what was held, and counts once it has joined the group again.
 */
export async function freezeAt(world: FaultWorld, phase: Phase, times: number): Promise<Tally> {
  return repeat(world, times, (row) => freezeOnce(row, phase));
}

async function repeat(
  world: FaultWorld,
  times: number,
  act: (row: FaultRow) => Promise<Tally>,
): Promise<Tally> {
  await using row = await world.openRow();
  const tallies: Tally[] = [];
  for (let time = 0; time < times; time += 1) tallies.push(await act(row));
  return addTallies(tallies);
}

async function killOnce(row: FaultRow, phase: Phase): Promise<Tally> {
  const moment = setMoment(row, phase);
  const start = () => row.startWorker(phase.guarded ? { EMAIL_REFUSAL_GUARD: "10" } : {});
  const worker = start();
  const [events, others] = phase.joined
    ? await publishAmidJoin(row, moment, worker)
    : [await publishUntil(row, moment), []];
  const windows = [await kill(row, worker, { moment, events })];
  const killedAt = Date.now();
  if (phase.again) {
    const second = setMoment(row, phase);
    const next = start();
    await second.reached(events.length / 2);
    windows.push(await kill(row, next, { moment: second, events }));
  }
  const fault = { ...phase, windows };
  return finishAndCount(row, events, { fault, killedAt, others, start });
}

interface Killed {
  readonly fault: Fault;
  readonly killedAt: number;
  /** Other workers that run. */
  readonly others?: readonly InstantProcess[];
  readonly start?: () => InstantProcess;
}

/** Starts serve-email again, waits until it has finished everything, and counts. */
export async function finishAndCount(
  row: FaultRow,
  events: readonly EmailEvent[],
  { fault, killedAt, others = [], start = row.startWorker }: Killed,
): Promise<Tally> {
  const last = start();
  await row.untilDrained();
  const tally = await countMails(row, events, fault);
  const takeover = { since: killedAt, withinMs: takenOverWithinMs };
  const late = await findTakenLate(row, fault.windows[0] ?? new Set(), takeover);
  await Promise.all([...others, last].map((each) => each.stop()));
  return { ...tally, breaches: [...tally.breaches, ...late] };
}

/** The mails that were in the window. */
async function kill(
  row: FaultRow,
  worker: InstantProcess,
  { moment, events }: { readonly moment: Moment; readonly events: readonly EmailEvent[] },
): Promise<ReadonlySet<string>> {
  await worker.stop("SIGKILL");
  moment.drop();
  return findInWindow(row, events);
}

/** As many mails, all of them at the moment if that many can be there. */
async function publishUntil(row: FaultRow, moment: Moment): Promise<EmailEvent[]> {
  const events = makeMails(mailsPerKill);
  await row.publish(events);
  await moment.reached(events.length);
  return events;
}

/** Another worker joins while mails keep coming, so that there are some in each stage. */
async function publishAmidJoin(
  row: FaultRow,
  moment: Moment,
  worker: InstantProcess,
): Promise<readonly [EmailEvent[], InstantProcess[]]> {
  await eventually("it has joined", () => countJoins(worker) > 0);
  const other = row.startWorker();
  const events: EmailEvent[] = [];
  const reached = moment.reached(1).then(() => true);
  for (let waiting = true; waiting; ) {
    const next = makeMails(2);
    events.push(...next);
    await row.publish(next);
    waiting = (await Promise.race([reached, Bun.sleep(100)])) !== true;
  }
  return [events, [other]];
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
  await Bun.sleep(wokenMs);
  await row.untilDrained();
  const tally = await countMails(row, events, { ...phase, windows: [submitting] });
  await Promise.all([frozen.stop(), other.stop()]);
  return tally;
}

function countJoins(worker: InstantProcess): number {
  return worker.findLogs("Joined the consumer group").length;
}
