import { withDeadline } from "../../core/deadline.ts";
import type { InstantError } from "../../core/errors.ts";
import { isInstantError } from "../../core/errors.ts";
import { findLetterAt, findLetters } from "../dead-letters/find-letters.ts";
import type { Letter } from "../dead-letters/selection.ts";
import type { EventLog } from "../event-log/event-log.ts";
import type { DeliveryLedger, LedgerRecord } from "../ledger/delivery-ledger.ts";
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
