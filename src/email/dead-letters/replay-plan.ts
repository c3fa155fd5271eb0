import { mkdirSync, readFileSync, renameSync, rmSync, writeFileSync } from "node:fs";
import { dirname, join } from "node:path";
import { z } from "zod";
import { sha256Hex } from "../../core/secret.ts";
import type { Clock } from "../../core/time.ts";
import type { DeadLetterClass } from "../delivery/outcome.ts";
import { decodeEmailEvent } from "../event.ts";
import type { EventLog, LogRecord } from "../event-log/event-log.ts";
import type { DeliveryLedger, LedgerRecord } from "../ledger/delivery-ledger.ts";
import type { DeadLetterFacts } from "./dead-letter.ts";
import { readDeadLetterFacts, replayCountOf } from "./dead-letter.ts";

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
  readonly includeTooOld: boolean;
}

/** A dead letter and what can be read of it. */
export interface DeadLetter {
  readonly record: LogRecord;
  readonly facts: DeadLetterFacts;
  readonly messageId: string | undefined;
  readonly recipient: string | undefined;
  readonly expiresAt: number | undefined;
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

export function readDeadLetter(record: LogRecord): DeadLetter {
  const facts = readDeadLetterFacts(record);
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
function originOf({ record, facts }: DeadLetter): string {
  const { originalTopic, originalPartition, originalOffset } = facts;
  return originalOffset === undefined
    ? `letter/${record.partition}/${record.offset}`
    : `${originalTopic}/${originalPartition}/${originalOffset}`;
}

/**
 * What a letter without a ledger record is known by: a record that nobody could read comes back,
 * when it was put back, as another letter with the same key and value and a higher replay count.
 */
function contentOf(record: LogRecord): string {
  const hasher = new Bun.CryptoHasher("sha256");
  for (const part of [record.key, record.value]) {
    hasher.update(part === null ? "-" : `${part.length}:`);
    if (part !== null) hasher.update(part);
  }
  return hasher.digest("base64url");
}

/** What the filters and the letter itself say; the ledger is asked afterwards. */
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

/** What the ledger knows of a selected letter's mail. */
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
  if (recipient !== undefined && deadLetter.recipient?.toLowerCase() !== recipient) return false;
  return since === undefined || (facts.failedAt ?? deadLetter.record.timestamp) >= since;
}

/** Per class ("unknown" when a letter does not say): how many, and what becomes of them. */
export type Histogram = Map<string, ClassCount>;
interface ClassCount {
  deadLetters: number;
  replay: number;
  readonly skipped: Map<SkipReason, number>;
}

interface Judged {
  readonly deadLetter: DeadLetter;
  /** Undefined: it is put back. */
  readonly skip: SkipReason | undefined;
}

/** The first `limit` letters to put back; counts them, and those that are skipped before the last. */
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

const placeSchema = z.object({
  startedAt: z.string(),
  /** Per partition: the next offset to look at, and where the replay ends. */
  partitions: z.array(z.object({ partition: z.int(), next: z.int(), to: z.int() })),
  replayed: z.int(),
});

export type ReplayPlace = z.infer<typeof placeSchema>;

/**
 * Keeps the place of an unfinished replay in a file per topic and filter set, replaced as a whole
 * after each batch that was acknowledged. A replay that was killed in between repeats one batch,
 * which the ledger knows as replayed already.
 */
export class ReplayPlaceFile {
  readonly path: string;

  /** `filters` is any text that is the same for the same filters. */
  constructor(dataDirectory: string, topic: string, filters: string) {
    const name = sha256Hex(`${topic}\n${filters}`).slice(0, 16);
    this.path = join(dataDirectory, "replays", `${name}.json`);
  }

  /** Undefined when no replay with these filters is unfinished. */
  load(): ReplayPlace | undefined {
    try {
      return placeSchema.parse(JSON.parse(readFileSync(this.path, "utf8")));
    } catch (error) {
      if (error instanceof Error && "code" in error && error.code === "ENOENT") return undefined;
      throw error;
    }
  }

  save(place: ReplayPlace): void {
    mkdirSync(dirname(this.path), { recursive: true, mode: 0o700 });
    const next = `${this.path}.${process.pid}`;
    writeFileSync(next, JSON.stringify(place), { mode: 0o600 });
    renameSync(next, this.path);
  }

  remove(): void {
    rmSync(this.path, { force: true });
  }
}

/** Reads the letters of a replay, oldest first, and says of each whether it is put back. */
export interface JudgeDeps {
  readonly eventLog: EventLog;
  readonly ledger: DeliveryLedger;
  readonly clock: Clock;
  readonly deadLetterTopic: string;
}

export interface JudgeOptions {
  readonly selection: ReplaySelection;
  /** What is looked at: [next, to) of each partition. */
  readonly place: ReplayPlace;
  /** What `findReplays` found in this place; it is asked when this is left out. */
  readonly replays?: KnownReplays;
  readonly signal?: AbortSignal;
}

/** The highest replay count of each content that came back. */
export type KnownReplays = ReadonlyMap<string, number>;

interface JudgedBatch {
  readonly partition: number;
  /** Those that the filters take. */
  readonly judged: readonly Judged[];
  /** The offset behind the batch. */
  readonly next: number;
}

interface KnownDeadLetters {
  /** Origins of the letters that were looked at. */
  readonly seen: Set<string>;
  readonly replays: KnownReplays;
}

/** Letters that were put back and came back again; the ledger knows none that nobody could read. */
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

/** The ledger is asked for the letters of a batch at the same time. */
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
