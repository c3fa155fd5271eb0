import { decodeEmailEvent } from "../event.ts";
import type { LogRecord } from "../event-log/event-log.ts";
import type { LedgerRecord } from "../ledger/delivery-ledger.ts";
import type { DeadLetterClass } from "../outcome.ts";
import type { LetterFacts } from "./letter.ts";
import { readLetterFacts } from "./letter.ts";

export const maxReplaysDefault = 3;

/** Which dead letters a replay takes; a filter that is left out takes all. */
export interface ReplaySelection {
  readonly classes: ReadonlySet<DeadLetterClass> | undefined;
  readonly messageId: string | undefined;
  /** In lower case. */
  readonly recipient: string | undefined;
  /** Letters that failed at or after this time, Unix ms. */
  readonly since: number | undefined;
  /** A letter that was replayed this often stays. */
  readonly maxReplays: number;
  /** Take letters of class `too_old`: they may have been sent before the ledger forgot them. */
  readonly includeForgotten: boolean;
}

/** A dead letter and what can be read of it. */
export interface Letter {
  readonly record: LogRecord;
  readonly facts: LetterFacts;
  readonly messageId: string | undefined;
  readonly recipient: string | undefined;
  readonly expiresAt: number | undefined;
}

export type Verdict =
  | { readonly kind: "replay" }
  /** The filters leave it out: not counted. */
  | { readonly kind: "unselected" }
  | { readonly kind: "skip"; readonly why: SkipReason };

export type SkipReason =
  | "expired"
  | "not whole"
  | "accepted meanwhile"
  | "replayed already"
  | "replayed too often"
  | "same letter again"
  | "needs --include-forgotten"
  | "needs --class ambiguous";

export function readLetter(record: LogRecord): Letter {
  const facts = readLetterFacts(record);
  // The start of a value is no event, even where it happens to read as one.
  const decoded = decodeEmailEvent(facts.isWhole ? record.value : null);
  if (decoded.kind === "poison") {
    const { messageId } = decoded;
    return { record, facts, messageId, recipient: undefined, expiresAt: undefined };
  }
  const { messageId, recipient, expiresAt } = decoded.event;
  return { record, facts, messageId, recipient, expiresAt };
}

/** Where the letter's record lay, which tells a letter that was written twice; else the letter's own place. */
export function originOf({ record, facts }: Letter): string {
  const { originalTopic, originalPartition, originalOffset } = facts;
  return originalOffset === undefined
    ? `letter/${record.partition}/${record.offset}`
    : `${originalTopic}/${originalPartition}/${originalOffset}`;
}

/**
 * What a letter without a ledger record is known by: a record that nobody could read comes back,
 * when it was put back, as another letter with the same key and value and a higher replay count.
 */
export function contentOf(record: LogRecord): string {
  const hasher = new Bun.CryptoHasher("sha256");
  for (const part of [record.key, record.value]) {
    hasher.update(part === null ? "-" : `${part.length}:`);
    if (part !== null) hasher.update(part);
  }
  return hasher.digest("base64url");
}

/** What the filters and the letter itself say; the ledger is asked afterwards. */
export function selectLetter(letter: Letter, selection: ReplaySelection, now: number): Verdict {
  const { facts } = letter;
  if (!isSelected(letter, selection)) return { kind: "unselected" };
  if (!facts.isWhole) return { kind: "skip", why: "not whole" };
  if (facts.class === "ambiguous" && !selection.classes?.has("ambiguous")) {
    return { kind: "skip", why: "needs --class ambiguous" };
  }
  if (facts.class === "too_old" && !selection.includeForgotten) {
    return { kind: "skip", why: "needs --include-forgotten" };
  }
  if (facts.replayCount >= selection.maxReplays) {
    return { kind: "skip", why: "replayed too often" };
  }
  if (letter.expiresAt !== undefined && letter.expiresAt <= now) {
    return { kind: "skip", why: "expired" };
  }
  return { kind: "replay" };
}

/** What the ledger knows of a selected letter's mail. */
export function judgeByLedger(letter: Letter, known: LedgerRecord | undefined): Verdict {
  if (known === undefined || letter.facts.class === "id_conflict") return { kind: "replay" };
  if (known.state === "accepted") return { kind: "skip", why: "accepted meanwhile" };
  if (known.state === "expired") return { kind: "skip", why: "expired" };
  return known.replays > letter.facts.replayCount
    ? { kind: "skip", why: "replayed already" }
    : { kind: "replay" };
}

function isSelected(letter: Letter, selection: ReplaySelection): boolean {
  const { classes, messageId, recipient, since } = selection;
  const { facts } = letter;
  if (classes !== undefined && !(facts.class !== undefined && classes.has(facts.class))) {
    return false;
  }
  if (messageId !== undefined && letter.messageId !== messageId) return false;
  if (recipient !== undefined && letter.recipient?.toLowerCase() !== recipient) return false;
  return since === undefined || (facts.failedAt ?? letter.record.timestamp) >= since;
}
