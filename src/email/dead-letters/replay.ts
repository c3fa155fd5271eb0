import { mkdirSync, readFileSync, renameSync, rmSync, writeFileSync } from "node:fs";
import { dirname, join } from "node:path";
import { z } from "zod";
import { sha256Hex } from "../../core/secret.ts";
import type { OutgoingRecord } from "../event-log/event-log.ts";
import type { DeadLetter } from "./dead-letter.ts";
import { encodeReplay } from "./dead-letter.ts";
import type { Histogram, JudgeDeps, JudgeOptions, ReplayPlace } from "./replay-plan.ts";
import { judgeDeadLetters, takeDeadLetters } from "./replay-plan.ts";

export interface ReplayDeps extends JudgeDeps {
  /** Where a dead letter goes that does not name its topic. */
  readonly eventsTopic: string;
}

interface ReplayOptions extends JudgeOptions {
  /** Most dead letters to replay. */
  readonly limit: number;
}

interface ReplayRunOptions extends ReplayOptions {
  readonly perSecond: number;
  /** After each acknowledged batch. */
  readonly onProgress: (place: ReplayPlace) => void;
}

/** A fifth of a second's at a time, so that the events come evenly. */
const [batchSizeMin, batchSizeMax] = [50, 1000] as const;
const batchesPerSecond = 5;
const firstMax = 20;
const publishDeadlineMs = 10_000;

export interface ReplayPlan {
  readonly histogram: Histogram;
  /** The first of those that would be replayed. */
  readonly first: readonly DeadLetter[];
}

/** A dry run: what a replay would do now. */
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
  /** What became of the dead letters that were read. */
  readonly histogram: Histogram;
}

/**
 * Publishes the selected dead letters again, on the topic they came from: original key, value and
 * headers, the replay count one higher. One batch is published at a time, while the next is read and
 * decided on; the place moves on, and is reported, once the log has acknowledged it. Aborting ends it
 * after the current batch.
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
    if (!signal?.aborted || error !== signal.reason) throw error; // the abort met the prefetch
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

/** With a limit the place is behind the last dead letter that was replayed. */
function afterLast(deadLetters: readonly DeadLetter[], next: number): number {
  const last = deadLetters.at(-1);
  return last === undefined ? next : last.record.offset + 1;
}

/**
 * The items of `source`, each fetched while the one before it is worked on, never more than one
 * ahead. When the reader ends early, the item fetched too much is dropped, as is its failure.
 */
export async function* prefetch<T>(source: AsyncGenerator<T, void>): AsyncGenerator<T, void> {
  try {
    for (let upcoming = source.next(); ; ) {
      const { done, value } = await upcoming;
      if (done) return;
      upcoming = source.next();
      upcoming.catch(() => {}); // the next turn awaits it, if there is one
      yield value;
    }
  } finally {
    await source.return();
  }
}

const placeSchema = z.object({
  startedAt: z.string(),
  partitions: z.array(z.object({ partition: z.int(), next: z.int(), to: z.int() })),
  replayed: z.int(),
}) satisfies z.ZodType<ReplayPlace>;

/**
 * Keeps the place of an unfinished replay in a file per topic and set of filters, replaced as a whole
 * after each acknowledged batch. A replay that was killed in between repeats one batch, which the
 * ledger knows as replayed already.
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
