import type { OutgoingRecord } from "../event-log/event-log.ts";
import { encodeReplay } from "./dead-letter.ts";
import type { DeadLetter, Histogram, JudgeDeps, JudgeOptions, ReplayPlace } from "./replay-plan.ts";
import { judgeDeadLetters, takeDeadLetters } from "./replay-plan.ts";

/**
 * The items of `source`, each asked for while the one before it is worked on: never more than one
 * ahead. What is asked for too much, and its failure, is dropped when the reader ends early.
 */
export async function* prefetch<T>(source: AsyncGenerator<T, void>): AsyncGenerator<T, void> {
  try {
    for (let upcoming = source.next(); ; ) {
      const { done, value } = await upcoming;
      if (done) return;
      upcoming = source.next();
      upcoming.catch(() => {}); // the next turn hears of it, if there is one
      yield value;
    }
  } finally {
    await source.return();
  }
}

export interface ReplayDeps extends JudgeDeps {
  /** Where a letter goes that does not say where it came from. */
  readonly eventsTopic: string;
}

interface ReplayOptions extends JudgeOptions {
  /** Most letters to put back. */
  readonly limit: number;
}

interface ReplayRunOptions extends ReplayOptions {
  readonly perSecond: number;
  /** After each acknowledged batch. */
  readonly onProgress: (place: ReplayPlace) => void;
}

/** A fifth of a second's letters at a time, so that the events come evenly. */
const [batchSizeMin, batchSizeMax] = [50, 1000] as const;
const batchesPerSecond = 5;
const firstMax = 20;
const publishDeadlineMs = 10_000;

export interface ReplayPlan {
  readonly histogram: Histogram;
  /** The first of those that would be put back. */
  readonly first: readonly DeadLetter[];
}

/** Looks at the letters and moves none: what a replay would do now. */
export async function planReplay(deps: ReplayDeps, options: ReplayOptions): Promise<ReplayPlan> {
  const histogram: Histogram = new Map();
  const first: DeadLetter[] = [];
  let left = options.limit;
  for await (const { judged } of judgeDeadLetters(deps, options, batchSizeMax)) {
    const taken = takeDeadLetters(judged, left, histogram);
    first.push(...taken.slice(0, firstMax - first.length));
    left -= taken.length;
    if (left === 0) break;
  }
  return { histogram, first };
}

interface ReplayResult {
  /** The last one that was reported; `next` = `to` everywhere when the replay is complete. */
  readonly place: ReplayPlace;
  /** What became of the letters that were looked at. */
  readonly histogram: Histogram;
}

/**
 * Puts the selected letters back on the topic they came from: original key, value and headers, the
 * replay count one higher. One batch is on its way at a time, while the next is read and judged;
 * the place moves on, and is reported, once the log acknowledged it. Aborting ends it after the
 * batch at hand.
 */
export async function replayDeadLetters(
  deps: ReplayDeps,
  options: ReplayRunOptions,
): Promise<ReplayResult> {
  const { clock, eventLog } = deps;
  const { perSecond, signal } = options;
  const size = Math.ceil(perSecond / batchesPerSecond);
  const batchSize = Math.min(Math.max(size, batchSizeMin), batchSizeMax);
  const histogram: Histogram = new Map();
  let place = options.place;
  let left = options.limit;
  try {
    for await (const batch of prefetch(judgeDeadLetters(deps, options, batchSize))) {
      const startedAt = clock.now();
      const taken = takeDeadLetters(batch.judged, left, histogram);
      for (const [topic, records] of byTopic(deps, taken)) {
        await eventLog.publish(topic, records, { deadlineMs: publishDeadlineMs });
      }
      left -= taken.length;
      const next = left === 0 ? afterLast(taken, batch.next) : batch.next;
      place = advancePlace(place, batch.partition, next, taken.length);
      options.onProgress(place);
      if (left === 0 || signal?.aborted) break;
      const earliestEnd = startedAt + (taken.length / perSecond) * 1000;
      if (earliestEnd > clock.now()) await clock.sleep(earliestEnd - clock.now(), signal);
      if (signal?.aborted) break;
    }
  } catch (error) {
    if (!signal?.aborted || error !== signal.reason) throw error; // it was reading on
  }
  return { place, histogram };
}

function byTopic(
  deps: ReplayDeps,
  deadLetters: readonly DeadLetter[],
): Map<string, OutgoingRecord[]> {
  const topics = new Map<string, OutgoingRecord[]>();
  for (const { record, facts } of deadLetters) {
    const topic = facts.originalTopic ?? deps.eventsTopic;
    const records = topics.get(topic) ?? [];
    records.push(encodeReplay(record, facts.replayCount + 1));
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
function afterLast(deadLetters: readonly DeadLetter[], next: number): number {
  const last = deadLetters.at(-1);
  return last === undefined ? next : last.record.offset + 1;
}
