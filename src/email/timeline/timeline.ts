import type { ErrorRow, InstantError } from "../../core/errors.ts";
import { isInstantError } from "../../core/errors.ts";
import { withDeadline } from "../../core/time.ts";
import type { DeadLetter } from "../dead-letters/dead-letter.ts";
import {
  deadLetterSummary,
  findDeadLetterAt,
  findDeadLetters,
  isSentTo,
} from "../dead-letters/dead-letter.ts";
import type { EventLog } from "../event-log/event-log.ts";
import type { DeliveryLedger, LedgerRecord, LedgerState } from "../ledger/delivery-ledger.ts";
import { boundedText } from "../ledger/record.ts";
import type { RecentMails } from "../recent-mails/recent-mails.ts";

export interface TimelineDeps {
  readonly ledger: Pick<DeliveryLedger, "find">;
  readonly recentMails: Pick<RecentMails, "find">;
  /** Opened only to search dead letters: a timeline can be had while the log is unavailable. */
  readonly eventLog: () => Promise<EventLog>;
  readonly deadLetterTopic: string;
}

/** The life of one mail as far as it is known: the ledger's record, its dead letter, or both. */
export interface MailTimeline {
  readonly messageId: string;
  readonly record: LedgerRecord | undefined;
  /** The newest one. */
  readonly deadLetter: DeadLetter | undefined;
  /** Why the dead letters could not be searched. */
  readonly deadLetterProblem: string | undefined;
}

const deadLettersDeadlineMs = 5_000;

/**
 * Undefined when neither the ledger nor a dead letter knows the mail. Throws `ledger_unavailable`;
 * and `log_unavailable` when only a dead letter could know it, and those cannot be read.
 */
export async function findTimeline(
  deps: TimelineDeps,
  messageId: string,
): Promise<MailTimeline | undefined> {
  const record = await deps.ledger.find(messageId);
  if (record !== undefined && record.buried === undefined) {
    return { messageId, record, deadLetter: undefined, deadLetterProblem: undefined };
  }
  const topic = deps.deadLetterTopic;
  const { found, problem } = await searchDeadLetters(deps, async (eventLog, signal) => {
    if (record?.buried !== undefined) {
      const deadLetter = await findDeadLetterAt(eventLog, { topic, ...record.buried });
      return deadLetter === undefined ? [] : [deadLetter];
    }
    const isWanted = (deadLetter: DeadLetter) => deadLetter.messageId === messageId;
    return findDeadLetters(eventLog, { topic, signal }, isWanted);
  });
  const deadLetter = found.at(-1);
  if (record === undefined && deadLetter === undefined) {
    if (problem === undefined) return undefined;
    throw problem;
  }
  return { messageId, record, deadLetter, deadLetterProblem: problem?.message };
}

/**
 * The mails of a recipient (in canonical form), the newest first: those that the index and the
 * ledger know (50 at most), and those that only a dead letter knows. Throws as `findTimeline`.
 */
export async function findMailsOf(
  deps: TimelineDeps,
  recipient: string,
): Promise<readonly MailTimeline[]> {
  const ids = await deps.recentMails.find(recipient);
  const records = await Promise.all(ids.map((id) => deps.ledger.find(id)));
  const byId = new Map(ids.map((id, index) => [id, records[index]] as const));
  const topic = deps.deadLetterTopic;
  const { found, problem } = await searchDeadLetters(deps, (eventLog, signal) =>
    findDeadLetters(eventLog, { topic, signal }, (deadLetter) => isSentTo(deadLetter, recipient)),
  );
  const deadLetters = new Map(
    found.map((deadLetter) => [deadLetter.messageId ?? "", deadLetter] as const),
  );
  if (problem !== undefined && byId.size === 0) throw problem;
  return [...new Set([...byId.keys(), ...deadLetters.keys()])]
    .map((messageId) => ({
      messageId,
      record: byId.get(messageId),
      deadLetter: deadLetters.get(messageId),
      deadLetterProblem: problem?.message,
    }))
    .filter(({ record, deadLetter }) => record !== undefined || deadLetter !== undefined)
    .toSorted((a, b) => changedAt(b) - changedAt(a));
}

/** When it last changed, Unix ms; 0: not known. */
export function changedAt({ record, deadLetter }: MailTimeline): number {
  return record?.history.at(-1)?.at ?? record?.sentAt ?? deadLetter?.facts.failedAt ?? 0;
}

/** Whether nothing more will happen to it by itself. */
export function isSettled({ record }: MailTimeline): boolean {
  if (record === undefined) return true;
  const { state, buried } = record;
  return state === "accepted" || state === "expired" || state === "suppressed" || !!buried;
}

async function searchDeadLetters(
  deps: TimelineDeps,
  search: (eventLog: EventLog, signal: AbortSignal) => Promise<readonly DeadLetter[]>,
): Promise<{ readonly found: readonly DeadLetter[]; readonly problem: InstantError | undefined }> {
  const giveUp = new AbortController();
  try {
    const searching = deps.eventLog().then((eventLog) => search(eventLog, giveUp.signal));
    searching.catch(() => {}); // after the deadline nobody awaits it
    const found = await withDeadline(
      "searching the dead letters",
      deadLettersDeadlineMs,
      searching,
    );
    return { found, problem: undefined };
  } catch (error) {
    if (!isInstantError(error)) throw error;
    giveUp.abort(error);
    return { found: [], problem: error };
  }
}

/** One step in the life of a mail, and its owner then. */
interface TimelineStep {
  readonly at: number;
  readonly state: string;
  readonly fence: number;
  readonly owner: string | undefined;
  readonly note: string | undefined;
}

export function stepsOf(record: LedgerRecord): readonly TimelineStep[] {
  const owners = new Map<number, string>();
  for (const { fence, owner } of record.history) if (owner !== undefined) owners.set(fence, owner);
  if (!owners.has(record.fence) && record.owner !== "") owners.set(record.fence, record.owner);
  return record.history.map((entry) => ({
    ...entry,
    owner: entry.owner ?? owners.get(entry.fence),
  }));
}

/** The ledger's states for a person who does not know the ledger. */
const meanings: Readonly<Record<LedgerState, string>> = {
  claimed: "a worker has it",
  submitting: "it was handed to the SMTP server, whose answer is awaited",
  accepted: "the SMTP server accepted it",
  rejected: "given up",
  ambiguous: "the server's answer was lost: it may have been sent",
  expired: "too late to be sent",
  suppressed: "its recipient gets no such mail",
};

export function stateMeaning(state: string): string | undefined {
  return new Map<string, string>(Object.entries(meanings)).get(state);
}

/** "accepted", "rejected: refused", "dead letter: malformed". */
export function stateText({ record, deadLetter }: MailTimeline): string {
  if (record === undefined) return `dead letter: ${deadLetter?.facts.class ?? "unknown"}`;
  const late = record.late ? " (late)" : "";
  return record.class === undefined ? `${record.state}${late}` : `${record.state}: ${record.class}`;
}

/** The answer of `GET /messages/:id` and of `--json`, in the ledger's spelling. */
export function timelineJson(timeline: MailTimeline): object {
  const { messageId, record, deadLetter, deadLetterProblem } = timeline;
  return {
    message_id: messageId,
    state: record?.state ?? "dead_letter",
    event_type: record?.eventType,
    recipient: record?.recipient ?? (deadLetter && deadLetterSummary(deadLetter).recipient),
    requested_at: isoOf(record?.requestedAt),
    event: record?.origin,
    fence: record?.fence,
    attempts: record && attemptsOf(record),
    replays: record?.replays ?? deadLetter?.facts.replayCount,
    resubmissions: record?.resubmissions,
    sent_at: isoOf(record?.sentAt),
    late: record?.late,
    class: record?.class ?? deadLetter?.facts.class,
    reason: record?.reason,
    smtp: record?.smtp && {
      host: record.smtp.host,
      reply: record.smtp.reply,
      queue_id: record.smtp.queueId,
    },
    dead_letter: deadLetterEntry(timeline),
    dead_letter_problem: deadLetterProblem,
    history: (record === undefined ? [] : stepsOf(record)).map((step) => ({
      ...step,
      at: isoOf(step.at),
    })),
  };
}

function deadLetterEntry({ record, deadLetter }: MailTimeline): object | undefined {
  if (deadLetter === undefined) return record?.buried;
  const { facts } = deadLetter;
  return {
    partition: deadLetter.record.partition,
    offset: deadLetter.record.offset,
    class: facts.class ?? "unknown",
    reason: boundedText(facts.reason ?? ""),
    failed_at: isoOf(facts.failedAt),
    attempts: facts.attempts,
    replays: facts.replayCount,
    event: {
      topic: facts.originalTopic,
      partition: facts.originalPartition,
      offset: facts.originalOffset,
    },
  };
}

/** For a person: what it is, each step, then the other facts. */
export function timelineLines(timeline: MailTimeline): readonly string[] {
  const { messageId, record } = timeline;
  const to = record === undefined ? "" : `  ${record.eventType} to ${record.recipient}`;
  return [
    `${messageId}${to}`,
    `  ${stateText(timeline)}`,
    "",
    ...(record === undefined ? [] : stepsOf(record)).map((step) => `  ${stepLine(step)}`),
    ...(record === undefined || record.history.length === 0 ? [] : [""]),
    ...factLines(timeline).map(([name, value]) => `  ${name.padEnd(15)}${value}`),
  ];
}

export function stepLine({ at, state, fence, owner, note }: TimelineStep): string {
  const ownerText = `fence ${fence}${owner === undefined ? "" : `  owner ${owner}`}`;
  return `${isoOf(at)}  ${state.padEnd(10)}  ${ownerText}${note === undefined ? "" : `  ${note}`}`;
}

/** The facts besides the steps, by name. */
export function factLines({
  record,
  deadLetter,
  deadLetterProblem,
}: MailTimeline): [string, string][] {
  const facts: [string, string | undefined][] = [
    ["Requested", isoOf(record?.requestedAt)],
    ["Event", record?.origin && positionText(record.origin)],
    ["Accepted", isoOf(record?.sentAt)],
    ["Delivery time", durationText(record)],
    ["Attempts", record && String(attemptsOf(record))],
    ["Replays", record && record.replays > 0 ? String(record.replays) : undefined],
    ["Resent", record && record.resubmissions > 0 ? String(record.resubmissions) : undefined],
    ["SMTP", record?.smtp?.host],
    ["Queue id", record?.smtp?.queueId],
    ["Reply", record?.smtp?.reply],
    ["Reason", record?.reason],
    [
      "Dead letter",
      deadLetter
        ? deadLetterText(deadLetter, record?.reason)
        : record?.buried && positionText(record.buried),
    ],
    ["Not read", deadLetterProblem],
  ];
  return facts.filter((fact): fact is [string, string] => fact[1] !== undefined);
}

/** Deferred ones, and the one that the server decided. */
function attemptsOf({ attempts, state, class: name }: LedgerRecord): number {
  return attempts + (state === "accepted" || name === "refused" ? 1 : 0);
}

/** One line of a list of mails. */
export function summaryLine(timeline: MailTimeline): string {
  const { messageId, record } = timeline;
  const type = record?.eventType ?? "";
  return `  ${isoOf(changedAt(timeline))}  ${stateText(timeline).padEnd(24)}  ${type.padEnd(18)}  ${messageId}`;
}

/** The reason is left out where the ledger has the same one. */
function deadLetterText({ record, facts }: DeadLetter, knownReason: string | undefined): string {
  const reason = boundedText(facts.reason ?? "");
  const place = `${positionText(record)}  ${facts.class ?? "unknown"}`;
  return reason === "" || reason === knownReason ? place : `${place}: ${reason}`;
}

/** Topic, partition and offset as other tools show them: "email-events/1/42". */
function positionText(place: { topic?: string; partition: number; offset: number }): string {
  const { topic, partition, offset } = place;
  return [topic, partition, offset].filter((part) => part !== undefined).join("/");
}

function durationText(record: LedgerRecord | undefined): string | undefined {
  if (record?.requestedAt === undefined || record.sentAt === undefined) return undefined;
  return `${((record.sentAt - record.requestedAt) / 1000).toFixed(3)} s from request to acceptance`;
}

function isoOf(at: number | undefined): string | undefined {
  return at === undefined ? undefined : new Date(at).toISOString();
}

export const timelineErrors = {
  mailUnknown: {
    code: "mail_unknown",
    meaning:
      "No mail with this message_id is known: it was not consumed yet, or is forgotten (after 24 h)",
    retryable: false,
    status: 404,
  },
} as const satisfies Record<string, ErrorRow>;
