import type { ErrorRow, InstantError } from "../../core/errors.ts";
import { isInstantError } from "../../core/errors.ts";
import { withDeadline } from "../../core/time.ts";
import { findLetterAt, findLetters } from "../dead-letters/find-dead-letters.ts";
import type { Letter } from "../dead-letters/replay-plan.ts";
import { letterJson } from "../dead-letters/replay-report.ts";
import type { EventLog } from "../event-log/event-log.ts";
import type { DeliveryLedger, LedgerRecord, LedgerState } from "../ledger/delivery-ledger.ts";
import { boundedText } from "../ledger/record.ts";
import type { RecentMails } from "../recent-mails/recent-mails.ts";

export interface TraceDeps {
  readonly ledger: Pick<DeliveryLedger, "find">;
  readonly recentMails: Pick<RecentMails, "find">;
  /** Asked for only where a dead letter is looked for: a trace works while the log is away. */
  readonly eventLog: () => Promise<EventLog>;
  readonly deadLetterTopic: string;
}

/** The life of one mail as far as it is known: the ledger's record, its dead letter, or both. */
export interface MailTrace {
  readonly messageId: string;
  readonly record: LedgerRecord | undefined;
  /** The newest one. */
  readonly letter: Letter | undefined;
  /** Why a dead letter could not be looked for. */
  readonly letterProblem: string | undefined;
}

/** A mail that the ledger does not know is looked for in the newest so many dead letters. */
export const lettersSearchedMax = 10_000;
const lettersDeadlineMs = 5_000;

/**
 * Undefined when neither the ledger nor a dead letter knows it. Throws `ledger_unavailable`; and
 * `log_unavailable` when only a dead letter could know it, and they cannot be asked.
 */
export async function findTrace(
  deps: TraceDeps,
  messageId: string,
): Promise<MailTrace | undefined> {
  const record = await deps.ledger.find(messageId);
  if (record !== undefined && record.buried === undefined) {
    return { messageId, record, letter: undefined, letterProblem: undefined };
  }
  const topic = deps.deadLetterTopic;
  const { found, problem } = await lookForLetters(deps, async (eventLog, signal) => {
    if (record?.buried !== undefined) {
      const letter = await findLetterAt(eventLog, { topic, ...record.buried });
      return letter === undefined ? [] : [letter];
    }
    const search = { topic, newest: lettersSearchedMax, signal };
    return findLetters(eventLog, search, (letter) => letter.messageId === messageId);
  });
  const letter = found.at(-1);
  if (record === undefined && letter === undefined) {
    if (problem === undefined) return undefined;
    throw problem;
  }
  return { messageId, record, letter, letterProblem: problem?.message };
}

/**
 * The mails of a recipient, the newest first: those the index and the ledger know (50 at most), and
 * those that only a dead letter tells of. Throws as `findTrace`.
 */
export async function findMailsOf(
  deps: TraceDeps,
  recipient: string,
): Promise<readonly MailTrace[]> {
  const ids = await deps.recentMails.find(recipient);
  const records = await Promise.all(ids.map((id) => deps.ledger.find(id)));
  const byId = new Map(ids.map((id, index) => [id, records[index]] as const));
  const address = recipient.toLowerCase();
  const topic = deps.deadLetterTopic;
  const { found, problem } = await lookForLetters(deps, (eventLog, signal) =>
    findLetters(
      eventLog,
      { topic, newest: lettersSearchedMax, signal },
      (letter) => letter.recipient?.toLowerCase() === address,
    ),
  );
  const letters = new Map(found.map((letter) => [letter.messageId ?? "", letter] as const));
  if (problem !== undefined && byId.size === 0) throw problem;
  return [...new Set([...byId.keys(), ...letters.keys()])]
    .map((messageId) => ({
      messageId,
      record: byId.get(messageId),
      letter: letters.get(messageId),
      letterProblem: problem?.message,
    }))
    .filter(({ record, letter }) => record !== undefined || letter !== undefined)
    .toSorted((a, b) => changedAt(b) - changedAt(a));
}

/** When something happened to it last, Unix ms; 0: not known. */
export function changedAt({ record, letter }: MailTrace): number {
  return record?.history.at(-1)?.at ?? record?.sentAt ?? letter?.facts.failedAt ?? 0;
}

/** Whether nothing more happens to it by itself. */
export function isSettled({ record }: MailTrace): boolean {
  if (record === undefined) return true;
  const { state, buried } = record;
  return state === "accepted" || state === "expired" || state === "suppressed" || !!buried;
}

async function lookForLetters(
  deps: TraceDeps,
  search: (eventLog: EventLog, signal: AbortSignal) => Promise<readonly Letter[]>,
): Promise<{ readonly found: readonly Letter[]; readonly problem: InstantError | undefined }> {
  const giveUp = new AbortController();
  try {
    const searching = deps.eventLog().then((eventLog) => search(eventLog, giveUp.signal));
    searching.catch(() => {}); // after the deadline nobody listens
    const found = await withDeadline("looking for dead letters", lettersDeadlineMs, searching);
    return { found, problem: undefined };
  } catch (error) {
    if (!isInstantError(error)) throw error;
    giveUp.abort(error);
    return { found: [], problem: error };
  }
}

/** One step in the life of a mail, with whose doing it was. */
interface TraceStep {
  readonly at: number;
  readonly state: string;
  readonly fence: number;
  readonly owner: string | undefined;
  readonly note: string | undefined;
}

export function stepsOf(record: LedgerRecord): readonly TraceStep[] {
  const owners = new Map<number, string>();
  for (const { fence, owner } of record.history) if (owner !== undefined) owners.set(fence, owner);
  if (!owners.has(record.fence) && record.owner !== "") owners.set(record.fence, record.owner);
  return record.history.map((entry) => ({
    ...entry,
    owner: entry.owner ?? owners.get(entry.fence),
  }));
}

/** What a state of the ledger says to who does not know the ledger. */
const meanings: Readonly<Record<LedgerState, string>> = {
  claimed: "a worker took it",
  submitting: "the SMTP server has it, and is about to answer",
  accepted: "the SMTP server took it",
  rejected: "given up",
  ambiguous: "the server's answer was lost: it may have been sent",
  expired: "too late to be sent",
  suppressed: "its recipient is not to get it",
};

export function stateMeaning(state: string): string | undefined {
  return new Map<string, string>(Object.entries(meanings)).get(state);
}

/** "accepted", "rejected: refused", "dead letter: malformed". */
export function stateWords({ record, letter }: MailTrace): string {
  if (record === undefined) return `dead letter: ${letter?.facts.class ?? "unknown"}`;
  const late = record.late ? " (late)" : "";
  return record.class === undefined ? `${record.state}${late}` : `${record.state}: ${record.class}`;
}

/** The answer of `GET /messages/:id` and of `--json`, in the ledger's spelling. */
export function traceJson(trace: MailTrace): object {
  const { messageId, record, letter, letterProblem } = trace;
  return {
    message_id: messageId,
    state: record?.state ?? "dead_letter",
    event_type: record?.eventType,
    recipient: record?.recipient ?? (letter && letterJson(letter).recipient),
    asked_at: isoOf(record?.askedAt),
    event: record?.origin,
    fence: record?.fence,
    tries: record && triesOf(record),
    replays: record?.replays ?? letter?.facts.replayCount,
    resubmissions: record?.resubmissions,
    sent_at: isoOf(record?.sentAt),
    late: record?.late,
    class: record?.class ?? letter?.facts.class,
    reason: record?.reason,
    smtp: record?.smtp && {
      host: record.smtp.host,
      reply: record.smtp.reply,
      queue_id: record.smtp.queueId,
    },
    dead_letter: deadLetterJson(trace),
    dead_letter_problem: letterProblem,
    history: (record === undefined ? [] : stepsOf(record)).map((step) => ({
      ...step,
      at: isoOf(step.at),
    })),
  };
}

function deadLetterJson({ record, letter }: MailTrace): object | undefined {
  if (letter === undefined) return record?.buried;
  const { facts } = letter;
  return {
    partition: letter.record.partition,
    offset: letter.record.offset,
    class: facts.class ?? "unknown",
    reason: boundedText(facts.reason ?? ""),
    failed_at: isoOf(facts.failedAt),
    tries: facts.attempts,
    replays: facts.replayCount,
    event: {
      topic: facts.originalTopic,
      partition: facts.originalPartition,
      offset: facts.originalOffset,
    },
  };
}

/** For a person: what it is, each step, then what is known beside. */
export function traceLines(trace: MailTrace): readonly string[] {
  const { messageId, record } = trace;
  const to = record === undefined ? "" : `  ${record.eventType} to ${record.recipient}`;
  return [
    `${messageId}${to}`,
    `  ${stateWords(trace)}`,
    "",
    ...(record === undefined ? [] : stepsOf(record)).map((step) => `  ${stepLine(step)}`),
    ...(record === undefined || record.history.length === 0 ? [] : [""]),
    ...factLines(trace).map(([name, words]) => `  ${name.padEnd(12)}${words}`),
  ];
}

export function stepLine({ at, state, fence, owner, note }: TraceStep): string {
  const whose = `fence ${fence}${owner === undefined ? "" : `  owner ${owner}`}`;
  return `${isoOf(at)}  ${state.padEnd(10)}  ${whose}${note === undefined ? "" : `  ${note}`}`;
}

/** What is known beside the steps, by name. */
export function factLines({ record, letter, letterProblem }: MailTrace): [string, string][] {
  const facts: [string, string | undefined][] = [
    ["Asked", isoOf(record?.askedAt)],
    ["Event", record?.origin && placeWords(record.origin)],
    ["Accepted", isoOf(record?.sentAt)],
    ["Took", tookWords(record)],
    ["Tries", record && String(triesOf(record))],
    ["Replays", record && record.replays > 0 ? String(record.replays) : undefined],
    ["Sent again", record && record.resubmissions > 0 ? String(record.resubmissions) : undefined],
    ["SMTP", record?.smtp?.host],
    ["Queue id", record?.smtp?.queueId],
    ["Reply", record?.smtp?.reply],
    ["Reason", record?.reason],
    [
      "Dead letter",
      letter ? letterWords(letter, record?.reason) : record?.buried && placeWords(record.buried),
    ],
    ["Not read", letterProblem],
  ];
  return facts.filter((fact): fact is [string, string] => fact[1] !== undefined);
}

/** Those that were put off, and the one that the server ended. */
function triesOf({ attempts, state, class: name }: LedgerRecord): number {
  return attempts + (state === "accepted" || name === "refused" ? 1 : 0);
}

/** One line of a list of mails. */
export function summaryLine(trace: MailTrace): string {
  const { messageId, record } = trace;
  const type = record?.eventType ?? "";
  return `  ${isoOf(changedAt(trace))}  ${stateWords(trace).padEnd(24)}  ${type.padEnd(18)}  ${messageId}`;
}

/** The reason is not said twice where the ledger has the same. */
function letterWords({ record, facts }: Letter, said: string | undefined): string {
  const reason = boundedText(facts.reason ?? "");
  const place = `${placeWords(record)}  ${facts.class ?? "unknown"}`;
  return reason === "" || reason === said ? place : `${place}: ${reason}`;
}

/** Topic, partition and offset as other tools show them: "email-events/1/42". */
function placeWords(place: { topic?: string; partition: number; offset: number }): string {
  const { topic, partition, offset } = place;
  return [topic, partition, offset].filter((part) => part !== undefined).join("/");
}

function tookWords(record: LedgerRecord | undefined): string | undefined {
  if (record?.askedAt === undefined || record.sentAt === undefined) return undefined;
  return `${((record.sentAt - record.askedAt) / 1000).toFixed(3)} s from asked to accepted`;
}

function isoOf(at: number | undefined): string | undefined {
  return at === undefined ? undefined : new Date(at).toISOString();
}

export const traceErrors = {
  mailUnknown: {
    code: "mail_unknown",
    meaning:
      "No mail of this message_id is known: it was not consumed yet, or it is forgotten (after 24 h)",
    retryable: false,
    status: 404,
  },
} as const satisfies Record<string, ErrorRow>;
