/**
 * Kills serve-email in the middle of a round: of the mails that it takes through SMTP together, some
 * have come further than others. How far each was is read from the server and the ledger when the
 * process is gone, and a kill counts only if that shows the moment was met.
 */
import { constants, setPriority } from "node:os";
import type { EmailEvent } from "../../src/email/event.ts";
import { makeMails } from "../../support/events.ts";
import { eventually } from "../../support/eventually.ts";
import type { InstantProcess } from "../../support/instant-process.ts";
import { findByState } from "../../support/service-rig.ts";
import type { SinkRule } from "../../support/smtp-sink/behaviour.ts";
import { finishAndCount } from "./kills.ts";
import { graceMs, redis } from "./moments.ts";
import type { Tally } from "./tally.ts";
import { addTallies } from "./tally.ts";
import type { FaultRow, FaultWorld } from "./world.ts";

/** The default of SMTP_CONNECTIONS: all of them are in the round. */
const roundMails = 20;
/** Rounds that may get away, one after the other. */
const missesMax = 5;

export interface RoundMoment {
  readonly name: string;
  /** Kills the worker there, and forgets what it had not sent. */
  readonly kill: (row: FaultRow, worker: InstantProcess) => Promise<KilledRound>;
  readonly isMet: (places: Places) => boolean;
}

interface KilledRound {
  readonly events: readonly EmailEvent[];
  /** Final dots that the server had read before this round. */
  readonly dotsBefore: number;
  /** Rounds that got away, and were finished as usual. */
  readonly earlier: readonly EmailEvent[];
}

/** Where the mails of a round were when the process was killed. */
export interface Places {
  /** Accepted by the server, and recorded as that. */
  readonly recorded: ReadonlySet<string>;
  /** Accepted by the server, and still `submitting`. */
  readonly unrecorded: ReadonlySet<string>;
  /** `submitting`, and the server never got, or never took, the dot. */
  readonly unaccepted: ReadonlySet<string>;
  /** Whether the server had read the final dots of all of them. */
  readonly allDots: boolean;
}

export const roundMoments: readonly RoundMoment[] = [
  {
    name: "amid the dots of a round",
    kill: killAmidDots,
    isMet: ({ recorded, unrecorded, unaccepted, allDots }) =>
      !allDots && recorded.size + unrecorded.size > 0 && unaccepted.size > 0,
  },
  {
    name: "amid the records of a round",
    kill: killAmidRecords,
    isMet: ({ recorded, unrecorded, unaccepted, allDots }) =>
      allDots && recorded.size > 0 && unrecorded.size > 0 && unaccepted.size > 0,
  },
];

export interface RoundTally {
  readonly tally: Tally;
  /** For the table: how many mails were where, from the least to the most. */
  readonly note: string;
}

/** Kills serve-email at the moment `kills` times; throws when it misses it again and again. */
export async function killMidRound(
  world: FaultWorld,
  moment: RoundMoment,
  kills: number,
): Promise<RoundTally> {
  await using row = await world.openRow();
  const tallies: Tally[] = [];
  const met: Places[] = [];
  while (met.length < kills) {
    const { tally, places } = await killOnce(row, moment);
    tallies.push(tally);
    if (moment.isMet(places)) met.push(places);
    else if (tallies.length - met.length > kills) {
      throw new Error(`${moment.name}: met ${met.length} times in ${tallies.length} kills`);
    }
  }
  return { tally: addTallies(tallies), note: describe(met) };
}

function describe(met: readonly Places[]): string {
  const range = (key: "recorded" | "unrecorded" | "unaccepted") => {
    const sizes = met.map((places) => places[key].size);
    const [least, most] = [Math.min(...sizes), Math.max(...sizes)];
    return least === most ? `${most}` : `${least}–${most}`;
  };
  const counts = `${range("recorded")} recorded, ${range("unrecorded")} accepted but not recorded`;
  return `of ${roundMails} mails ${counts}, ${range("unaccepted")} not accepted`;
}

async function killOnce(row: FaultRow, moment: RoundMoment) {
  row.sink.setBehaviour([]);
  const worker = row.startWorker();
  const { events, dotsBefore, earlier } = await moment.kill(row, worker);
  const killedAt = Date.now();
  const places = await findPlaces(row, events, dotsBefore);
  row.sink.setBehaviour([]);
  const submitting = new Set([...places.unrecorded, ...places.unaccepted]);
  // A mail whose dot was held back cannot have been accepted: it may not be sent twice.
  const withheld = places.allDots ? new Set<string>() : places.unaccepted;
  const fault = { windows: [submitting], withheld };
  const tally = await finishAndCount(row, [...earlier, ...events], { fault, killedAt });
  return { places, tally: { ...tally, breaches: [...tally.breaches, ...places.breaches] } };
}

async function findPlaces(
  { sink, ledger }: FaultRow,
  events: readonly EmailEvent[],
  dotsBefore: number,
) {
  // Then everything that it wrote has been read.
  await eventually("its connections are gone", () => sink.sessions.open === 0);
  const states = await findByState(ledger, events);
  const recorded = states.get("accepted") ?? new Set();
  const submitting = states.get("submitting") ?? new Set();
  const accepted = sink.countByMessageId();
  const unrecorded = new Set([...submitting].filter((id) => accepted.has(id)));
  const unaccepted = new Set([...submitting].filter((id) => !accepted.has(id)));
  const isKnown = (id: string) => recorded.has(id) || unrecorded.has(id);
  const unclaimed = events.filter(
    ({ messageId }) => accepted.has(messageId) && !isKnown(messageId),
  );
  return {
    recorded,
    unrecorded,
    unaccepted,
    allDots: sink.reachedTotal.dot - dotsBefore >= events.length,
    breaches: unclaimed.map(({ messageId }) => `${messageId}: accepted without "submitting"`),
  };
}

/**
 * All mails are `submitting`, and their dots are due at once. The process is let go on in steps so
 * short that it writes a few of them, and killed as soon as the server has read one but not all.
 */
async function killAmidDots(row: FaultRow, worker: InstantProcess): Promise<KilledRound> {
  const { sink, ledger } = row;
  const earlier: EmailEvent[] = [];
  for (;;) {
    const dotsBefore = sink.reachedTotal.dot;
    const events = await stopAmidDots(row, worker);
    const gotAway = sink.reachedTotal.dot - dotsBefore === events.length;
    if (!gotAway || earlier.length >= missesMax * roundMails) {
      await worker.stop("SIGKILL");
      return { events, dotsBefore, earlier };
    }
    earlier.push(...events);
    process.kill(worker.pid, "SIGCONT");
    await eventually("that round is recorded", async () => {
      return (await findByState(ledger, events)).get("accepted")?.size === events.length;
    });
  }
}

/** What a few small writes take. */
const stepMs = 0.04;
const steppingMsMax = 5000;

/** Throws when no dot waited. */
async function stopAmidDots(row: FaultRow, { pid }: InstantProcess): Promise<EmailEvent[]> {
  const { sink } = row;
  const hold = row.redisProxy.hold(redis("reply", "submitting").rule);
  const dotsBefore = sink.reachedTotal.dot;
  const events = await publishRound(row);
  await hold.untilCaught(events.length, graceMs);
  process.kill(pid, "SIGSTOP");
  const dots = sink.reachedTotal.dot;
  if (dots === dotsBefore + events.length) {
    throw new Error('dots were written before "submitting" was confirmed');
  }
  hold.release();
  setPriority(pid, constants.priority.PRIORITY_LOW); // or a busy machine makes its steps longer
  const endsAt = Date.now() + steppingMsMax;
  while (sink.reachedTotal.dot === dots && Date.now() < endsAt) {
    process.kill(pid, "SIGCONT");
    for (const stopAt = performance.now() + stepMs; performance.now() < stopAt; );
    process.kill(pid, "SIGSTOP");
    await Bun.sleep(1); // for the server and the proxies, which are in this process, to read
  }
  return events;
}

const quarter = roundMails / 4;
/** Longer than it takes to find that the first mails are recorded. */
const lateReplyMs = 1000;
const answers: readonly SinkRule[] = [
  { at: "dot", does: { kind: "accept" }, times: quarter },
  { at: "dot", does: { kind: "delay", ms: lateReplyMs, count: true }, times: quarter },
  { at: "dot", does: { kind: "hang", count: true }, times: quarter },
  { at: "dot", does: { kind: "hang" } },
];

/**
 * The server answers a quarter of the mails, and once they are recorded another quarter, whose
 * records never arrive in Redis. It accepts a third quarter without an answer, and the last not.
 */
async function killAmidRecords(row: FaultRow, worker: InstantProcess): Promise<KilledRound> {
  const dotsBefore = row.sink.reachedTotal.dot;
  row.sink.setBehaviour(answers);
  const events = await publishRound(row);
  await eventually("a quarter is recorded", async () => {
    const recorded = (await findByState(row.ledger, events)).get("accepted");
    return (recorded?.size ?? 0) >= quarter;
  });
  const hold = row.redisProxy.hold(redis("request", "accepted").rule);
  await hold.untilCaught(quarter, graceMs);
  await worker.stop("SIGKILL");
  hold.drop();
  return { events, dotsBefore, earlier: [] };
}

async function publishRound(row: FaultRow): Promise<EmailEvent[]> {
  const events = makeMails(roundMails);
  await row.publish(events);
  return events;
}
