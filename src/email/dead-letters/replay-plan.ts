import type { Clock } from "../../core/time.ts";
import type { DeadLetterClass } from "../delivery/outcome.ts";
import { replayCountOf } from "../event.ts";
import type { EventLog, LogRecord } from "../event-log/event-log.ts";
import type { DeliveryLedger, LedgerRecord } from "../ledger/delivery-ledger.ts";
import type { DeadLetter } from "./dead-letter.ts";
import { isSentTo, readDeadLetter } from "./dead-letter.ts";

/** A dead letter that was replayed this often stays, unless the operator says otherwise. */
export const maxReplaysDefault = 3;

/**
 * Which dead letters a replay takes, and why it skips the others: what the filters and the dead
 * letter itself say, then the dead letters after it, then the ledger. `replay.ts` acts on it.
 */
export interface ReplaySelection {
  /** Undefined, as in the following: all. */
  readonly classes: ReadonlySet<DeadLetterClass> | undefined;
  readonly messageId: string | undefined;
  /** In canonical form. */
  readonly recipient: string | undefined;
  /** Unix ms: those that failed then or later. */
  readonly since: number | undefined;
  readonly maxReplays: number;
  /** Takes class `too_old` as well: mails that may have been sent before the ledger forgot them. */
  readonly includeTooOld: boolean;
}

type Verdict =
  | { readonly kind: "replay" }
  /** The filters leave it out: not counted. */
  | { readonly kind: "unselected" }
  | { readonly kind: "skip"; readonly reason: SkipReason };

type SkipReason =
  | "expired"
  | "not whole"
  | "accepted meanwhile"
  | "replayed already"
  | "replayed too often"
  | "duplicate dead letter"
  | "needs --include-too-old"
  | "needs --class ambiguous";

/** Where its record was, so that a dead letter that was written twice is recognised; else its own position. */
function originOf({ record, facts }: DeadLetter): string {
  const { originalTopic, originalPartition, originalOffset } = facts;
  return originalOffset === undefined
    ? `dead letter/${record.partition}/${record.offset}`
    : `${originalTopic}/${originalPartition}/${originalOffset}`;
}

/**
 * Identifies a dead letter without a ledger record: an unreadable record that is replayed comes back
 * as another dead letter with the same key and value, and a higher replay count.
 */
function contentOf(record: LogRecord): string {
  const hasher = new Bun.CryptoHasher("sha256");
  for (const part of [record.key, record.value]) {
    hasher.update(part === null ? "-" : `${part.length}:`);
    if (part !== null) hasher.update(part);
  }
  return hasher.digest("base64url");
}

/** By the filters and the dead letter itself; the ledger is asked afterwards. */
export function selectDeadLetter(
  deadLetter: DeadLetter,
  selection: ReplaySelection,
  now: number,
): Verdict {
  const { facts } = deadLetter;
  if (!isSelected(deadLetter, selection)) return { kind: "unselected" };
  if (!facts.isWhole) return { kind: "skip", reason: "not whole" };
  if (facts.class === "ambiguous" && !selection.classes?.has("ambiguous")) {
    return { kind: "skip", reason: "needs --class ambiguous" };
  }
  if (facts.class === "too_old" && !selection.includeTooOld) {
    return { kind: "skip", reason: "needs --include-too-old" };
  }
  if (facts.replayCount >= selection.maxReplays) {
    return { kind: "skip", reason: "replayed too often" };
  }
  if (deadLetter.expiresAt !== undefined && deadLetter.expiresAt <= now) {
    return { kind: "skip", reason: "expired" };
  }
  return { kind: "replay" };
}

/** By what the ledger knows about the mail. */
function judgeByLedger(deadLetter: DeadLetter, known: LedgerRecord | undefined): Verdict {
  if (known === undefined || deadLetter.facts.class === "id_conflict") return { kind: "replay" };
  if (known.state === "accepted") return { kind: "skip", reason: "accepted meanwhile" };
  if (known.state === "expired") return { kind: "skip", reason: "expired" };
  return known.replays > deadLetter.facts.replayCount
    ? { kind: "skip", reason: "replayed already" }
    : { kind: "replay" };
}

function isSelected(deadLetter: DeadLetter, selection: ReplaySelection): boolean {
  const { classes, messageId, recipient, since } = selection;
  const { facts } = deadLetter;
  if (classes !== undefined && !(facts.class !== undefined && classes.has(facts.class))) {
    return false;
  }
  if (messageId !== undefined && deadLetter.messageId !== messageId) return false;
  if (recipient !== undefined && !isSentTo(deadLetter, recipient)) return false;
  return since === undefined || (facts.failedAt ?? deadLetter.record.timestamp) >= since;
}

/** By class ("unknown" where a dead letter does not name one): how many, and what becomes of them. */
export type Histogram = Map<string, ClassCount>;
interface ClassCount {
  deadLetters: number;
  replay: number;
  readonly skipped: Map<SkipReason, number>;
}

interface Judged {
  readonly deadLetter: DeadLetter;
  /** Undefined: it is replayed. */
  readonly skip: SkipReason | undefined;
}

/** The first `limit` dead letters to replay; counts them, and those skipped before the last one. */
export function takeDeadLetters(
  judged: readonly Judged[],
  limit: number,
  histogram: Histogram,
): readonly DeadLetter[] {
  const taken: DeadLetter[] = [];
  for (const { deadLetter, skip } of judged) {
    if (taken.length === limit) break;
    const count = countOf(histogram, deadLetter.facts.class ?? "unknown");
    count.deadLetters += 1;
    if (skip === undefined) {
      count.replay += 1;
      taken.push(deadLetter);
    } else {
      count.skipped.set(skip, (count.skipped.get(skip) ?? 0) + 1);
    }
  }
  return taken;
}

function countOf(histogram: Histogram, name: string): ClassCount {
  const known = histogram.get(name);
  if (known !== undefined) return known;
  const fresh: ClassCount = { deadLetters: 0, replay: 0, skipped: new Map() };
  histogram.set(name, fresh);
  return fresh;
}

export function replayTotal(histogram: Histogram): number {
  return [...histogram.values()].reduce((sum, { replay }) => sum + replay, 0);
}

/** How far a replay has come. */
export interface ReplayPlace {
  readonly startedAt: string;
  /** Per partition: the next offset to read, and where the replay ends. */
  readonly partitions: readonly {
    readonly partition: number;
    readonly next: number;
    readonly to: number;
  }[];
  readonly replayed: number;
}

export interface JudgeDeps {
  readonly eventLog: EventLog;
  readonly ledger: DeliveryLedger;
  readonly clock: Clock;
  readonly deadLetterTopic: string;
}

export interface JudgeOptions {
  readonly selection: ReplaySelection;
  /** [next, to) of each partition is read. */
  readonly place: ReplayPlace;
  /** What `findReplays` found in this place; it is called when this is left out. */
  readonly replays?: KnownReplays;
  readonly signal?: AbortSignal;
}

/** The highest replay count by content. */
export type KnownReplays = ReadonlyMap<string, number>;

interface JudgedBatch {
  readonly partition: number;
  /** Those that the filters take. */
  readonly judged: readonly Judged[];
  /** The offset behind the batch. */
  readonly next: number;
}

interface KnownDeadLetters {
  /** Origins so far. */
  readonly seen: Set<string>;
  readonly replays: KnownReplays;
}

/** Dead letters of records that were replayed before; the ledger does not know the unreadable ones. */
export async function findReplays(
  deps: JudgeDeps,
  place: ReplayPlace,
  signal?: AbortSignal,
): Promise<KnownReplays> {
  const replays = new Map<string, number>();
  for (const range of place.partitions) {
    for await (const record of readRecords(deps, range, signal)) {
      const replayCount = replayCountOf(record.headers);
      if (replayCount === 0) continue;
      const content = contentOf(record);
      replays.set(content, Math.max(replays.get(content) ?? 0, replayCount));
    }
  }
  return replays;
}

/** Reads the dead letters of a place, oldest first, and decides on each; the ledger is asked for a batch at once. */
export async function* judgeDeadLetters(
  deps: JudgeDeps,
  { selection, place, replays, signal }: JudgeOptions,
  batchSize: number,
): AsyncGenerator<JudgedBatch, void> {
  const known: KnownDeadLetters = {
    seen: new Set(),
    replays: replays ?? (await findReplays(deps, place, signal)),
  };
  for (const range of place.partitions) {
    const { partition, next, to } = range;
    if (next >= to) continue;
    let deadLetters: DeadLetter[] = [];
    for await (const record of readRecords(deps, range, signal)) {
      deadLetters.push(readDeadLetter(record));
      if (deadLetters.length < batchSize) continue;
      const judged = await judge(deps, deadLetters, selection, known);
      yield { partition, judged, next: record.offset + 1 };
      deadLetters = [];
    }
    if (signal?.aborted) return;
    yield { partition, judged: await judge(deps, deadLetters, selection, known), next: to };
  }
}

function readRecords(
  { eventLog, deadLetterTopic: topic }: JudgeDeps,
  { partition, next: from, to }: ReplayPlace["partitions"][number],
  signal: AbortSignal | undefined,
): AsyncIterable<LogRecord> {
  const range = { topic, partition, from, to };
  return eventLog.readRange(signal === undefined ? range : { ...range, signal });
}

async function judge(
  deps: JudgeDeps,
  deadLetters: readonly DeadLetter[],
  selection: ReplaySelection,
  { seen, replays }: KnownDeadLetters,
): Promise<Judged[]> {
  const now = deps.clock.now();
  const judged = deadLetters.map(async (deadLetter): Promise<Judged | undefined> => {
    const verdict = selectDeadLetter(deadLetter, selection, now);
    if (verdict.kind === "unselected") return undefined;
    if (verdict.kind === "skip") return { deadLetter, skip: verdict.reason };
    const origin = originOf(deadLetter);
    if (seen.has(origin)) return { deadLetter, skip: "duplicate dead letter" };
    seen.add(origin);
    const { facts, messageId, record } = deadLetter;
    const newest = replays.size === 0 ? 0 : (replays.get(contentOf(record)) ?? 0);
    if (newest > facts.replayCount) return { deadLetter, skip: "replayed already" };
    const known = messageId === undefined ? undefined : await deps.ledger.find(messageId);
    const byLedger = judgeByLedger(deadLetter, known);
    return { deadLetter, skip: byLedger.kind === "skip" ? byLedger.reason : undefined };
  });
  return (await Promise.all(judged)).filter((entry) => entry !== undefined);
}
