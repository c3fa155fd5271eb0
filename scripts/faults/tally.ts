/** What became of each mail, whether that keeps the promise, and the table of it. */
import type { DeadLetter } from "../../src/email/dead-letters/dead-letter.ts";
import { readDeadLetter } from "../../src/email/dead-letters/dead-letter.ts";
import type { DeadLetterClass } from "../../src/email/delivery/outcome.ts";
import type { EmailEvent } from "../../src/email/event.ts";
import type { DeliveryLedger } from "../../src/email/ledger/delivery-ledger.ts";
import type { ServiceRig } from "../../support/service-rig.ts";
import { findSubmitting } from "../../support/service-rig.ts";
import type { SmtpSink } from "../../support/smtp-sink/smtp-sink.ts";

/** What became of the mails of a row. */
export interface Tally {
  readonly mails: number;
  /** Those that waited for the final reply when the fault came: `submitting` in the ledger. */
  readonly inWindow: number;
  /** Neither accepted nor a dead letter nor expired. */
  readonly lost: number;
  readonly once: number;
  readonly twice: number;
  /** Mails with a dead letter, by class. */
  readonly deadLetters: Readonly<Record<string, number>>;
  /** Each mail for which the promise was broken, with the history of its ledger record. */
  readonly breaches: readonly string[];
}

export interface Fault {
  /** For each time it came, the ids of the mails that waited for the final reply. */
  readonly windows: readonly ReadonlySet<string>[];
  /** The server refuses all of them. */
  readonly refused?: boolean | undefined;
  /** It came before the final dot was written. */
  readonly beforeDot?: boolean | undefined;
  /** The same of these mails only. */
  readonly withheld?: ReadonlySet<string>;
}

/** Counts what the sinks accepted and what is on the dead-letter topic. */
export async function countMails(
  rig: ServiceRig & { readonly secondSink?: SmtpSink },
  events: readonly EmailEvent[],
  fault: Fault,
): Promise<Tally> {
  const accepted = new Map(rig.sink.countByMessageId());
  for (const [id, times] of rig.secondSink?.countByMessageId() ?? []) {
    accepted.set(id, (accepted.get(id) ?? 0) + times);
  }
  const deadLetters = await readDeadLetters(rig);
  const results = await Promise.all(
    events.map(async (event): Promise<MailResult> => {
      const { messageId } = event;
      const times = accepted.get(messageId) ?? 0;
      const deadLetter = deadLetters.get(messageId)?.facts.class;
      const isDone = times > 0 || deadLetter !== undefined;
      return {
        event,
        accepted: times,
        deadLetter,
        expired: !isDone && (await rig.ledger.find(messageId))?.state === "expired",
        inWindow: fault.windows.filter((window) => window.has(messageId)).length,
        refused: fault.refused === true,
        beforeDot: fault.beforeDot === true || fault.withheld?.has(messageId) === true,
      };
    }),
  );
  return { ...tallyResults(results), breaches: await describeBreaches(rig.ledger, results) };
}

export function tallyResults(results: readonly MailResult[]): Omit<Tally, "breaches"> {
  const count = (fits: (result: MailResult) => boolean) => results.filter(fits).length;
  const deadLetters: Record<string, number> = {};
  for (const { deadLetter } of results) {
    if (deadLetter !== undefined) deadLetters[deadLetter] = (deadLetters[deadLetter] ?? 0) + 1;
  }
  return {
    mails: results.length,
    inWindow: count(({ inWindow }) => inWindow > 0),
    lost: count(({ accepted, deadLetter, expired }) => accepted === 0 && !deadLetter && !expired),
    once: count(({ accepted }) => accepted === 1),
    twice: count(({ accepted }) => accepted > 1),
    deadLetters,
  };
}

export function addTallies(tallies: readonly Tally[]): Tally {
  const sum = { mails: 0, inWindow: 0, lost: 0, once: 0, twice: 0 };
  const deadLetters: Record<string, number> = {};
  for (const tally of tallies) {
    for (const name of Object.keys(sum) as (keyof typeof sum)[]) sum[name] += tally[name];
    for (const [name, count] of Object.entries(tally.deadLetters)) {
      deadLetters[name] = (deadLetters[name] ?? 0) + count;
    }
  }
  return { ...sum, deadLetters, breaches: tallies.flatMap(({ breaches }) => breaches) };
}

/** For what a stopped process had still written to its sockets to arrive. */
const inFlightMs = 100;

/** Mails that wait for the final reply, now that a process was stopped. */
export async function findInWindow(
  { ledger }: ServiceRig,
  events: readonly EmailEvent[],
): Promise<ReadonlySet<string>> {
  await Bun.sleep(inFlightMs);
  return findSubmitting(ledger, events);
}

/** Mails whose final reply was lost at least `times` times, by their ledger history. */
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

/** Mails of a dead owner that nobody took over within `withinMs`, by their ledger history. */
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

/** Mails that counted an attempt or were given up: neither may happen if a server is at fault. */
export async function findTouched(
  { ledger }: ServiceRig,
  events: readonly EmailEvent[],
): Promise<string[]> {
  const records = await Promise.all(events.map(({ messageId }) => ledger.find(messageId)));
  return records.flatMap((record) => {
    const { messageId, attempts, state } = record ?? { messageId: "?", attempts: 0, state: "none" };
    const isUntouched = attempts === 0 && state === "accepted";
    return isUntouched ? [] : [`${messageId}: ${attempts} attempts, ${state}`];
  });
}

/** By message_id; a dead letter that was written twice counts once. */
async function readDeadLetters({
  eventLog,
  eventsTopic,
}: ServiceRig): Promise<Map<string, DeadLetter>> {
  const deadLetters = new Map<string, DeadLetter>();
  const topic = `${eventsTopic}-dlq`;
  for (const { partition, earliest, next } of await eventLog.offsets(topic)) {
    for await (const record of eventLog.readRange({ topic, partition, from: earliest, to: next })) {
      const deadLetter = readDeadLetter(record);
      deadLetters.set(deadLetter.messageId ?? `${record.offset}`, deadLetter);
    }
  }
  return deadLetters;
}

async function describeBreaches(
  ledger: DeliveryLedger,
  results: readonly MailResult[],
): Promise<string[]> {
  const described: string[] = [];
  for (const result of results) {
    const breach = findBreach(result);
    if (breach === undefined) continue;
    const { messageId } = result.event;
    const record = await ledger.find(messageId);
    const steps = record?.history.map(({ at, state, fence, note }) => {
      return `${new Date(at).toISOString().slice(11, 23)} ${state} ${fence} ${note ?? ""}`.trim();
    });
    described.push(`${messageId}: ${breach} (${steps?.join("; ") ?? "no record"})`);
  }
  return described;
}

/** What is known of one mail in the end. */
export interface MailResult {
  readonly event: EmailEvent;
  /** How often the SMTP server accepted it. */
  readonly accepted: number;
  readonly deadLetter: DeadLetterClass | undefined;
  readonly expired: boolean;
  /** How many faults came while it waited for the final reply: `submitting` in the ledger. */
  readonly inWindow: number;
  /** The server refuses it for good. */
  readonly refused: boolean;
  /** The faults came before its final dot was written: the server cannot have accepted it then. */
  readonly beforeDot: boolean;
}

/**
 * How the promise was broken; undefined: it was kept. Each mail is accepted once, or is a dead
 * letter. Only in the window may a living code be accepted once more (and become a dead letter when
 * that reply is lost too), and any other mail an `ambiguous` dead letter: the server may have it.
 */
export function findBreach(result: MailResult): string | undefined {
  const { event, accepted, deadLetter, expired, inWindow, refused, beforeDot } = result;
  const resends = event.eventType === "verification_code" ? 1 : 0;
  if (accepted === 0 && deadLetter === undefined && !expired) return "lost";
  const mayRepeat = beforeDot ? 0 : Math.min(inWindow, resends);
  if (accepted > 1 + mayRepeat || (beforeDot && deadLetter === "ambiguous" && accepted > 0)) {
    return `accepted ${accepted} times`;
  }
  if (deadLetter === undefined) return refused ? "no dead letter of a refused mail" : undefined;
  if (deadLetter === "rejected" && refused && accepted === 0) return undefined;
  if (deadLetter === "ambiguous" && inWindow > resends) return undefined;
  return `dead letter ${deadLetter}, accepted ${accepted} times`;
}

export interface Row {
  readonly name: string;
  readonly tally: Tally;
  readonly note?: string | undefined;
}

/** Whether the promise was kept for all mails of a row. */
export function isKept({ tally }: Row): boolean {
  return tally.lost === 0 && tally.breaches.length === 0;
}

/** A Markdown table: one fault a row, with the outcomes of its mails. */
export function renderTable(title: string, rows: readonly Row[]): string {
  const head = `| ${title} | mails | in the window | lost | once | twice | dead letters |
|---|---:|---:|---:|---:|---:|---|`;
  const lines = rows.map((row) => {
    const { mails, inWindow, lost, once, twice, deadLetters } = row.tally;
    const classes = Object.entries(deadLetters).map(([name, count]) => `${count} ${name}`);
    const counts = [mails, inWindow, lost, once, twice, classes.join(", ") || "–"];
    const what = row.note === undefined ? row.name : `${row.name}: ${row.note}`;
    return `| ${what}${isKept(row) ? "" : " ✗"} | ${counts.join(" | ")} |`;
  });
  return [head, ...lines].join("\n");
}
