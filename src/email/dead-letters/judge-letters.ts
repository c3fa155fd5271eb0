import type { Clock } from "../../core/clock.ts";
import type { EventLog, LogRecord } from "../event-log/event-log.ts";
import type { DeliveryLedger } from "../ledger/delivery-ledger.ts";
import type { Judged } from "./histogram.ts";
import { replayCountOf } from "./letter.ts";
import type { ReplayPlace } from "./replay-place.ts";
import type { Letter, ReplaySelection } from "./selection.ts";
import { contentOf, judgeByLedger, originOf, readLetter, selectLetter } from "./selection.ts";

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

export interface JudgedBatch {
  readonly partition: number;
  /** Those that the filters take. */
  readonly judged: readonly Judged[];
  /** The offset behind the batch. */
  readonly next: number;
}

interface KnownLetters {
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
export async function* judgeLetters(
  deps: JudgeDeps,
  { selection, place, replays, signal }: JudgeOptions,
  batchSize: number,
): AsyncGenerator<JudgedBatch, void> {
  const known: KnownLetters = {
    seen: new Set(),
    replays: replays ?? (await findReplays(deps, place, signal)),
  };
  for (const range of place.partitions) {
    const { partition, next, to } = range;
    if (next >= to) continue;
    let letters: Letter[] = [];
    for await (const record of readRecords(deps, range, signal)) {
      letters.push(readLetter(record));
      if (letters.length < batchSize) continue;
      const judged = await judge(deps, letters, selection, known);
      yield { partition, judged, next: record.offset + 1 };
      letters = [];
    }
    if (signal?.aborted) return;
    yield { partition, judged: await judge(deps, letters, selection, known), next: to };
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
  letters: readonly Letter[],
  selection: ReplaySelection,
  { seen, replays }: KnownLetters,
): Promise<Judged[]> {
  const now = deps.clock.now();
  const judged = letters.map(async (letter): Promise<Judged | undefined> => {
    const verdict = selectLetter(letter, selection, now);
    if (verdict.kind === "unselected") return undefined;
    if (verdict.kind === "skip") return { letter, skip: verdict.why };
    const origin = originOf(letter);
    if (seen.has(origin)) return { letter, skip: "same letter again" };
    seen.add(origin);
    const { facts, messageId, record } = letter;
    const newest = replays.size === 0 ? 0 : (replays.get(contentOf(record)) ?? 0);
    if (newest > facts.replayCount) return { letter, skip: "replayed already" };
    const known = messageId === undefined ? undefined : await deps.ledger.find(messageId);
    const byLedger = judgeByLedger(letter, known);
    return { letter, skip: byLedger.kind === "skip" ? byLedger.why : undefined };
  });
  return (await Promise.all(judged)).filter((entry) => entry !== undefined);
}
