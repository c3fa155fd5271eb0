import type { Clock } from "../../core/clock.ts";
import type { EventLog, OutgoingRecord } from "../event-log/event-log.ts";
import type { DeliveryLedger } from "../ledger/delivery-ledger.ts";
import { encodeReplay } from "./letter.ts";
import type { ReplayPlace } from "./replay-place.ts";
import type { Letter, ReplaySelection, SkipReason } from "./selection.ts";
import { contentOf, judgeByLedger, originOf, readLetter, selectLetter } from "./selection.ts";

export interface ReplayDeps {
  readonly eventLog: EventLog;
  readonly ledger: DeliveryLedger;
  readonly clock: Clock;
  readonly deadLetterTopic: string;
  /** Where a letter goes that does not say where it came from. */
  readonly eventsTopic: string;
}

export interface ReplayOptions {
  readonly selection: ReplaySelection;
  /** What is looked at: [next, to) of each partition. */
  readonly place: ReplayPlace;
  /** Most letters to put back. */
  readonly limit: number;
  readonly signal?: AbortSignal;
}

export interface MoveOptions extends ReplayOptions {
  readonly perSecond: number;
  /** After each acknowledged batch. */
  readonly onProgress: (place: ReplayPlace) => void;
}

/** Per class ("unknown" when a letter does not say): how many, and what becomes of them. */
export type Histogram = Map<string, ClassCount>;
export interface ClassCount {
  letters: number;
  replay: number;
  readonly skipped: Map<SkipReason, number>;
}

const batchSize = 200;
const firstMax = 20;
const publishDeadlineMs = 10_000;

export interface ReplayPlan {
  readonly histogram: Histogram;
  /** The first of those that would be put back. */
  readonly first: readonly Letter[];
}

/** Looks at the letters and moves none: what a replay would do now. */
export async function planReplay(deps: ReplayDeps, options: ReplayOptions): Promise<ReplayPlan> {
  const histogram: Histogram = new Map();
  const first: Letter[] = [];
  let left = options.limit;
  for await (const batch of judgedBatches(deps, options)) {
    for (const { letter, skip } of batch.judged) {
      if (left === 0) return { histogram, first };
      const count = countOf(histogram, letter.facts.class ?? "unknown");
      count.letters += 1;
      if (skip === undefined) {
        count.replay += 1;
        left -= 1;
        if (first.length < firstMax) first.push(letter);
      } else {
        count.skipped.set(skip, (count.skipped.get(skip) ?? 0) + 1);
      }
    }
  }
  return { histogram, first };
}

/**
 * Puts the selected letters back on the topic they came from: original key, value and headers, the
 * replay count one higher. Reports its place after each batch that the log acknowledged, and
 * returns the last one; `next` = `to` everywhere when it is complete. Aborting ends it after the
 * batch at hand.
 */
export async function moveLetters(deps: ReplayDeps, options: MoveOptions): Promise<ReplayPlace> {
  const { clock, eventLog } = deps;
  let place = options.place;
  let left = options.limit;
  for await (const batch of judgedBatches(deps, options)) {
    const startedAt = clock.now();
    const chosen = batch.judged.filter(({ skip }) => skip === undefined).slice(0, left);
    for (const [topic, records] of byTopic(deps, chosen)) {
      await eventLog.publish(topic, records, { deadlineMs: publishDeadlineMs });
    }
    left -= chosen.length;
    const next = left === 0 ? afterLast(chosen, batch.next) : batch.next;
    place = advancePlace(place, batch.partition, next, chosen.length);
    options.onProgress(place);
    if (left === 0 || options.signal?.aborted) return place;
    const earliestEnd = startedAt + (chosen.length / options.perSecond) * 1000;
    if (earliestEnd > clock.now()) await clock.sleep(earliestEnd - clock.now(), options.signal);
    if (options.signal?.aborted) return place;
  }
  return place;
}

interface Judged {
  readonly letter: Letter;
  readonly skip: SkipReason | undefined;
}

interface JudgedBatch {
  readonly partition: number;
  readonly judged: readonly Judged[];
  /** The offset behind the batch. */
  readonly next: number;
}

interface KnownLetters {
  /** Origins of the letters that were looked at. */
  readonly seen: Set<string>;
  /** The highest replay count of each content that came back. */
  readonly replays: ReadonlyMap<string, number>;
}

/** Letters that were put back and came back again; the ledger knows none that nobody could read. */
async function findReplays(
  deps: ReplayDeps,
  place: ReplayPlace,
  signal: AbortSignal | undefined,
): Promise<Map<string, number>> {
  const replays = new Map<string, number>();
  for (const range of place.partitions) {
    for await (const letter of readLetters(deps, range, signal)) {
      const { replayCount } = letter.facts;
      if (replayCount === 0) continue;
      const content = contentOf(letter);
      replays.set(content, Math.max(replays.get(content) ?? 0, replayCount));
    }
  }
  return replays;
}

async function* readLetters(
  deps: ReplayDeps,
  { partition, next, to }: ReplayPlace["partitions"][number],
  signal: AbortSignal | undefined,
): AsyncGenerator<Letter> {
  const range = { topic: deps.deadLetterTopic, partition, from: next, to };
  const records = deps.eventLog.readRange(signal === undefined ? range : { ...range, signal });
  for await (const record of records) yield readLetter(record);
}

async function* judgedBatches(
  deps: ReplayDeps,
  { selection, place, signal }: ReplayOptions,
): AsyncGenerator<JudgedBatch> {
  const known = { seen: new Set<string>(), replays: await findReplays(deps, place, signal) };
  for (const range of place.partitions) {
    const { partition, next, to } = range;
    if (next >= to) continue;
    const records = readLetters(deps, range, signal);
    let letters: Letter[] = [];
    for await (const letter of records) {
      letters.push(letter);
      if (letters.length < batchSize) continue;
      yield {
        partition,
        judged: await judge(deps, letters, selection, known),
        next: letter.record.offset + 1,
      };
      letters = [];
    }
    if (signal?.aborted) return;
    yield { partition, judged: await judge(deps, letters, selection, known), next: to };
  }
}

async function judge(
  deps: ReplayDeps,
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
    if ((replays.get(contentOf(letter)) ?? 0) > letter.facts.replayCount) {
      return { letter, skip: "replayed already" };
    }
    const { messageId } = letter;
    const known = messageId === undefined ? undefined : await deps.ledger.find(messageId);
    const byLedger = judgeByLedger(letter, known);
    return { letter, skip: byLedger.kind === "skip" ? byLedger.why : undefined };
  });
  return (await Promise.all(judged)).filter((entry) => entry !== undefined);
}

function byTopic(deps: ReplayDeps, chosen: readonly Judged[]): Map<string, OutgoingRecord[]> {
  const topics = new Map<string, OutgoingRecord[]>();
  for (const { letter } of chosen) {
    const topic = letter.facts.originalTopic ?? deps.eventsTopic;
    const records = topics.get(topic) ?? [];
    records.push(encodeReplay(letter.record, letter.facts.replayCount + 1));
    topics.set(topic, records);
  }
  return topics;
}

function advancePlace(place: ReplayPlace, partition: number, next: number, count: number) {
  const partitions = place.partitions.map((range) =>
    range.partition === partition ? { ...range, next } : range,
  );
  return { ...place, partitions, replayed: place.replayed + count };
}

/** With a limit the place is behind the last letter that was put back. */
function afterLast(chosen: readonly Judged[], next: number): number {
  const last = chosen.at(-1);
  return last === undefined ? next : last.letter.record.offset + 1;
}

function countOf(histogram: Histogram, name: string): ClassCount {
  const known = histogram.get(name);
  if (known !== undefined) return known;
  const fresh: ClassCount = { letters: 0, replay: 0, skipped: new Map() };
  histogram.set(name, fresh);
  return fresh;
}
