import type { DeadLetter } from "../../src/email/dead-letters/dead-letter.ts";
import { readDeadLetter } from "../../src/email/dead-letters/dead-letter.ts";
import type { EmailEvent } from "../../src/email/event.ts";
import type { DeliveryLedger } from "../../src/email/ledger/delivery-ledger.ts";
import type { ServiceRig } from "../../support/service-rig.ts";
import { findSubmitting } from "../../support/service-rig.ts";
import type { SmtpSink } from "../../support/smtp-sink/smtp-sink.ts";
import type { MailFate } from "./verdict.ts";
import { findBreach } from "./verdict.ts";

/** What became of the mails of a row. */
export interface Tally {
  readonly mails: number;
  /** Of these, the answer was awaited when the fault came: the ledger said `submitting`. */
  readonly inWindow: number;
  /** Neither accepted nor a dead letter nor expired. */
  readonly lost: number;
  readonly once: number;
  readonly twice: number;
  /** Mails with a dead letter, by class. */
  readonly parked: Readonly<Record<string, number>>;
  /** Each mail for which the promise was broken, with what its ledger record went through. */
  readonly breaches: readonly string[];
}

export interface Fault {
  /** For each time it came, the ids of the mails whose answer was awaited then. */
  readonly windows: readonly ReadonlySet<string>[];
  /** The server refuses all of them. */
  readonly refused?: boolean | undefined;
  /** It came before the final dot was written. */
  readonly beforeDot?: boolean | undefined;
}

/** Counts what the sinks accepted and what lies on the dead-letter topic. */
export async function countMails(
  rig: ServiceRig & { readonly secondSink?: SmtpSink },
  events: readonly EmailEvent[],
  fault: Fault,
): Promise<Tally> {
  const accepted = new Map(rig.sink.countByMessageId());
  for (const [id, times] of rig.secondSink?.countByMessageId() ?? []) {
    accepted.set(id, (accepted.get(id) ?? 0) + times);
  }
  const letters = await readLetters(rig);
  const fates = await Promise.all(
    events.map(async (event): Promise<MailFate> => {
      const { messageId } = event;
      const times = accepted.get(messageId) ?? 0;
      const letter = letters.get(messageId)?.facts.class;
      const isDone = times > 0 || letter !== undefined;
      return {
        event,
        accepted: times,
        letter,
        expired: !isDone && (await rig.ledger.find(messageId))?.state === "expired",
        inWindow: fault.windows.filter((window) => window.has(messageId)).length,
        refused: fault.refused === true,
        beforeDot: fault.beforeDot === true,
      };
    }),
  );
  return { ...tallyFates(fates), breaches: await describeBreaches(rig.ledger, fates) };
}

export function tallyFates(fates: readonly MailFate[]): Omit<Tally, "breaches"> {
  const count = (fits: (fate: MailFate) => boolean) => fates.filter(fits).length;
  const parked: Record<string, number> = {};
  for (const { letter } of fates) {
    if (letter !== undefined) parked[letter] = (parked[letter] ?? 0) + 1;
  }
  return {
    mails: fates.length,
    inWindow: count(({ inWindow }) => inWindow > 0),
    lost: count(({ accepted, letter, expired }) => accepted === 0 && !letter && !expired),
    once: count(({ accepted }) => accepted === 1),
    twice: count(({ accepted }) => accepted > 1),
    parked,
  };
}

export function addTallies(tallies: readonly Tally[]): Tally {
  const sum = (pick: (tally: Tally) => number) =>
    tallies.reduce((total, tally) => total + pick(tally), 0);
  const parked: Record<string, number> = {};
  for (const [name, count] of tallies.flatMap((tally) => Object.entries(tally.parked))) {
    parked[name] = (parked[name] ?? 0) + count;
  }
  return {
    mails: sum(({ mails }) => mails),
    inWindow: sum(({ inWindow }) => inWindow),
    lost: sum(({ lost }) => lost),
    once: sum(({ once }) => once),
    twice: sum(({ twice }) => twice),
    parked,
    breaches: tallies.flatMap(({ breaches }) => breaches),
  };
}

/** What a process that was just stopped had still written to its sockets. */
const lastWordsMs = 100;

/** Mails whose answer is awaited, now that a process was stopped. */
export async function findInWindow(
  { ledger }: ServiceRig,
  events: readonly EmailEvent[],
): Promise<ReadonlySet<string>> {
  await Bun.sleep(lastWordsMs);
  return findSubmitting(ledger, events);
}

/** Mails whose answer was lost, `times` times at least, by what the ledger remembers. */
export async function findAmbiguous(
  { ledger }: ServiceRig,
  events: readonly EmailEvent[],
  times = 1,
): Promise<ReadonlySet<string>> {
  const records = await Promise.all(events.map(({ messageId }) => ledger.find(messageId)));
  const ambiguous = records.filter((record) => {
    const lost = record?.history.filter(
      ({ state, note }) => state === "ambiguous" && note?.startsWith("buried ") !== true,
    );
    return (lost?.length ?? 0) >= times;
  });
  return new Set(ambiguous.map((record) => record?.messageId ?? ""));
}

/** Mails of a dead owner that nobody took over within `withinMs`, by what the ledger remembers. */
export async function findTakenLate(
  { ledger }: ServiceRig,
  messageIds: ReadonlySet<string>,
  { since, withinMs }: { readonly since: number; readonly withinMs: number },
): Promise<string[]> {
  const records = await Promise.all([...messageIds].map((id) => ledger.find(id)));
  return records.flatMap((record) => {
    const next = record?.history.find(({ at }) => at > since);
    const waitedMs = (next?.at ?? Number.POSITIVE_INFINITY) - since;
    const late = `${record?.messageId}: taken over after ${waitedMs} ms, not within ${withinMs}`;
    return waitedMs > withinMs ? [late] : [];
  });
}

/** Of a server that was at fault the mails know nothing: no try is spent, none is given up. */
export async function findSpent(
  { ledger }: ServiceRig,
  events: readonly EmailEvent[],
): Promise<string[]> {
  const records = await Promise.all(events.map(({ messageId }) => ledger.find(messageId)));
  return records.flatMap((record) => {
    const { messageId, attempts, state } = record ?? { messageId: "?", attempts: 0, state: "none" };
    const isUntouched = attempts === 0 && state === "accepted";
    return isUntouched ? [] : [`${messageId}: ${attempts} attempts spent, and ${state}`];
  });
}

/** By message_id; a letter that was written twice counts once. */
async function readLetters({
  eventLog,
  eventsTopic,
}: ServiceRig): Promise<Map<string, DeadLetter>> {
  const letters = new Map<string, DeadLetter>();
  const topic = `${eventsTopic}-dlq`;
  for (const { partition, earliest, next } of await eventLog.offsets(topic)) {
    for await (const record of eventLog.readRange({ topic, partition, from: earliest, to: next })) {
      const letter = readDeadLetter(record);
      letters.set(letter.messageId ?? `${record.offset}`, letter);
    }
  }
  return letters;
}

async function describeBreaches(
  ledger: DeliveryLedger,
  fates: readonly MailFate[],
): Promise<string[]> {
  const described: string[] = [];
  for (const fate of fates) {
    const breach = findBreach(fate);
    if (breach === undefined) continue;
    const { messageId } = fate.event;
    const record = await ledger.find(messageId);
    const steps = record?.history.map(({ at, state, fence, note }) => {
      return `${new Date(at).toISOString().slice(11, 23)} ${state} ${fence} ${note ?? ""}`.trim();
    });
    described.push(`${messageId}: ${breach} (${steps?.join("; ") ?? "no record"})`);
  }
  return described;
}
