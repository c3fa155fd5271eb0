import type { EmailEvent } from "../../src/email/event.ts";
import { eventually } from "../../support/eventually.ts";
import type { InstantProcess } from "../../support/instant-process.ts";
import { makeMails } from "./mails.ts";
import type { Moment } from "./moment.ts";
import { setMoment } from "./moment.ts";
import type { Phase } from "./phases.ts";
import type { Tally } from "./tally.ts";
import { addTallies, countMails, findInWindow, findTakenLate } from "./tally.ts";
import type { FaultRow, FaultWorld } from "./world.ts";
import { leaseMs } from "./world.ts";

export const mailsPerRound = 6;
/**
 * A mail whose answer its owner awaited is the next one's after that lease, however long the answer
 * may take; and some time to start and to join a group whose dead member's session (2 s) must end.
 */
const takenOverWithinMs = 3 * leaseMs + 4000;

/** Kills serve-email `kills` times at one moment of its work, starts it again each time, and counts. */
export async function killAt(world: FaultWorld, phase: Phase, kills: number): Promise<Tally> {
  await using row = await world.openRow();
  const tallies: Tally[] = [];
  for (let kill = 0; kill < kills; kill += 1) tallies.push(await killOnce(row, phase));
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
  const last = start();
  await row.untilDrained();
  const tally = await countMails(row, events, { ...phase, windows });
  const takeover = { since: killedAt, withinMs: takenOverWithinMs };
  const late = await findTakenLate(row, windows[0] ?? new Set(), takeover);
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

/** The mails of a round, all of them at the moment where it has room for all. */
export async function publishUntil(row: FaultRow, moment: Moment): Promise<EmailEvent[]> {
  const events = makeMails(mailsPerRound);
  await row.publish(events);
  await moment.reached(events.length);
  return events;
}

/** Another worker joins while mails come all the time, so that some are in each stage. */
async function publishAmidJoin(
  row: FaultRow,
  moment: Moment,
  worker: InstantProcess,
): Promise<readonly [EmailEvent[], InstantProcess[]]> {
  const hasJoined = () => worker.findLogs("Joined the consumer group").length > 0;
  await eventually("it has joined", hasJoined);
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
