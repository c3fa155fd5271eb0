import type { Clock } from "../../../core/time.ts";
import { systemClock } from "../../../core/time.ts";
import type {
  LogRecord,
  RunningRecord,
  RunningRecords,
  SubscribeOptions,
  Subscription,
  SubscriptionStats,
} from "../event-log.ts";
import type { Assigned, PartitionOffset, UnfinishedRecord } from "./assignment.ts";
import { Assignment, hasUncommitted, Orphans } from "./assignment.ts";
import type { Lane } from "./lanes.ts";
import { Lanes, laneKey } from "./lanes.ts";

export interface RecordFlowOptions extends Omit<SubscribeOptions, "topic" | "group"> {
  /** `uncommitted()` has something new. Called whenever a record finishes: must be fast. */
  readonly onAdvance: () => void;
  /** A partition with a refused record may be fetched again, from that record on. */
  readonly onCapacity: (partition: number) => void;
  /**
   * Most bytes of the unfinished, undeferred records (default 64 MiB); below it, one more record is
   * taken.
   */
  readonly unfinishedBytesMax?: number;
  /** Most deferred records (default 20,000), and most bytes of them (default 64 MiB). */
  readonly deferredMax?: number;
  readonly deferredBytesMax?: number;
  readonly clock?: Clock;
}

const unfinishedMaxDefault = 1_000;
const unfinishedBytesMaxDefault = 64 * 1024 * 1024;
const deferredMaxDefault = 20_000;
const deferredBytesMaxDefault = 64 * 1024 * 1024;
/** 4 h, the longest that a mail is deferred, at 70 records a second in one partition. */
const offsetsBeyondLowWatermarkMaxDefault = 1_000_000;
/** How long `drain` waits for aborted handlers to end. */
const abortGraceMs = 5_000;

/** A record that waits in its lane or runs. */
interface Run extends RunningRecord {
  readonly bytes: number;
  /**
   * Its partition's window, whose low watermark it holds back; undefined once the partition was
   * revoked.
   */
  assigned: Assigned | undefined;
  mark: UnfinishedRecord;
  /** Set once it runs. */
  lane: Lane<Run> | undefined;
}

/**
 * Takes the records of a subscription's partitions, runs them in one lane per key, and tracks which
 * offsets may be committed. Fetching, committing and waiting for an engine are up to the adapter.
 *
 * Flowing: offered records start as soon as their lane is free, those of one moment as a batch.
 * Paused: nothing starts, running handlers continue, records are taken up to the bounds. Assigning
 * and revoking do not end it.
 * Ended (by `drain`, or by a failure: then `failed` has rejected): nothing starts or is taken,
 * running handlers continue and may still be committed.
 *
 * Bounds: `unfinishedMax` records that wait or run (1,000), or `unfinishedBytesMax` bytes of them
 * (64 MiB), even after their partition was revoked; separately, for those of deferred lanes,
 * `deferredMax` (20,000) and `deferredBytesMax` (64 MiB); records that stop being deferred may
 * exceed the first bounds for a while; `offsetsBeyondLowWatermarkMax` offsets from a partition's
 * low watermark to its newest record (1,000,000, which is the most that a restart reads again; a
 * finished one uses no memory). A record over a bound is refused; `onCapacity` follows once half of
 * the bound is free again.
 *
 * How an adapter uses it: `assign`, fetch from the committed offset (call `begin` where it is
 * known), `offer` in ascending order; on a refusal stop fetching that partition, and after
 * `onCapacity` offer from the refused record on (kept from the batch, or fetched again). Where
 * offsets may not be records, `advance` once all records of a fetch were taken. On a rebalance
 * `revoke` what is lost, then `assign`. At the end `drain`, commit `uncommitted()`, leave.
 */
export class RecordFlow implements RunningRecords {
  readonly #options: RecordFlowOptions;
  readonly #unfinishedMax: number;
  readonly #bytesMax: number;
  readonly #offsetsBeyondMax: number;
  readonly #deferredMax: number;
  readonly #deferredBytesMax: number;
  readonly #lanes = new Lanes<Run>();
  readonly #assignment = new Assignment();
  readonly #refused = new Set<Assigned>();
  readonly #orphans = new Orphans<Run>();
  readonly #draining = new AbortController();
  readonly #abort = new AbortController();
  readonly #failure = Promise.withResolvers<never>();
  #paused = false;
  #ended = false;
  #onIdle: (() => void) | undefined;
  /** They run, and are handed over at the end of this moment. */
  #starting: Run[] = [];

  constructor(options: RecordFlowOptions) {
    this.#options = options;
    this.#unfinishedMax = options.unfinishedMax ?? unfinishedMaxDefault;
    this.#bytesMax = options.unfinishedBytesMax ?? unfinishedBytesMaxDefault;
    this.#offsetsBeyondMax =
      options.offsetsBeyondLowWatermarkMax ?? offsetsBeyondLowWatermarkMaxDefault;
    this.#deferredMax = options.deferredMax ?? deferredMaxDefault;
    this.#deferredBytesMax = options.deferredBytesMax ?? deferredBytesMaxDefault;
    this.#failure.promise.catch(() => {}); // no unhandled rejection without a listener
  }

  /** Never resolves; rejects with a handler's error or the one given to `fail`. */
  get failed(): Promise<never> {
    return this.#failure.promise;
  }

  get stats(): Omit<SubscriptionStats, "problem"> {
    return {
      inFlight: this.#lanes.running,
      unfinished: this.#unfinished,
      deferred: this.#lanes.deferred.items,
      paused: this.#paused,
      partitions: this.partitions,
    };
  }

  /** See `Subscription`. */
  atWork(partition: number): readonly LogRecord[] | undefined {
    if (!this.isFetchable(partition)) return undefined;
    const assigned = this.#assignment.find(partition);
    const records: LogRecord[] = [];
    for (const { item, lane } of this.#lanes.items()) {
      if (!lane.deferred && item.assigned === assigned) records.push(item.record);
    }
    return records;
  }

  get partitions(): readonly number[] {
    return this.#assignment.partitions;
  }

  /** Whether to fetch this partition: it is assigned and no record of it is refused. */
  isFetchable(partition: number): boolean {
    const assigned = this.#assignment.find(partition);
    return assigned !== undefined && assigned.refused === undefined && !this.#ended;
  }

  /** Resets these partitions; their records are offered again from the committed offset on. */
  assign(partitions: readonly number[]): void {
    this.revoke(partitions);
    for (const partition of partitions) this.#assignment.add(partition);
  }

  /** Fetching begins at `offset`, which needs no commit. Only the first call counts. */
  begin(partition: number, offset: number): void {
    const assigned = this.#assignment.find(partition);
    if (assigned !== undefined) assigned.committed ??= offset;
  }

  /**
   * Every record before `position` was offered and taken: once they are finished, `position` may be
   * committed, even if the offsets before it are not records.
   */
  advance(partition: number, position: number): void {
    const assigned = this.#assignment.find(partition);
    if (assigned === undefined) return;
    assigned.window.advance(position);
    if (hasUncommitted(assigned)) this.#options.onAdvance();
  }

  /**
   * Drops waiting records. Running handlers continue; when their record is offered again, the copy
   * joins the run. Nothing of these partitions can be committed any more.
   */
  revoke(partitions: readonly number[]): void {
    const revoked = this.#assignment.remove(partitions);
    if (revoked.size === 0) return;
    for (const assigned of revoked) this.#refused.delete(assigned);
    const isRevoked = ({ assigned }: Run) => assigned !== undefined && revoked.has(assigned);
    this.#lanes.dropWaiting(isRevoked);
    for (const { item } of this.#lanes.items()) if (isRevoked(item)) this.#orphan(item);
    this.#readmitRefused();
  }

  /**
   * Takes a record, or refuses it (false): over a bound, partition not assigned, or flow ended.
   * A record that was taken before is ignored (true).
   */
  offer(record: LogRecord): boolean {
    const assigned = this.#assignment.find(record.partition);
    if (assigned === undefined || this.#ended) return false;
    const { window } = assigned;
    const { offset } = record;
    if (window.has(offset)) return true;
    if (window.distance(offset) >= this.#offsetsBeyondMax) return this.#refuse(assigned, offset);
    if (!this.#orphans.isEmpty && this.#rejoin(assigned, offset)) return true;
    if (this.#isOver(1)) return this.#refuse(assigned, offset);
    assigned.committed ??= offset;
    const bytes = bytesOf(record);
    const run: Run = { record, bytes, assigned, mark: window.receive(offset), lane: undefined };
    const lane = this.#lanes.push(laneKey(record.key), run);
    if (lane !== undefined) this.#start(run, lane);
    return true;
  }

  pause(): void {
    this.#paused = true;
    this.#lanes.close();
  }

  resume(): void {
    this.#paused = false;
    if (this.#ended) return;
    for (const { item, lane } of this.#lanes.open()) this.#start(item, lane);
  }

  /** The low watermarks of assigned partitions that are ahead of what was committed. */
  uncommitted(): readonly PartitionOffset[] {
    return this.#assignment.uncommitted();
  }

  /** The adapter committed these. */
  markCommitted(offsets: Iterable<PartitionOffset>): void {
    this.#assignment.markCommitted(offsets);
  }

  /** Ends the flow: `failed` rejects. */
  fail(error: unknown): void {
    this.#close();
    this.#failure.reject(error);
  }

  /**
   * Ends the flow, aborts handlers that only wait, and waits for the rest; after `drainMs` aborts
   * the signal and waits 5 s more. Resolves with how many still run; their records stay unfinished.
   */
  async drain(drainMs: number): Promise<number> {
    this.#close();
    this.#draining.abort(new Error("the subscription stops"));
    await this.#idleWithin(drainMs);
    if (this.#lanes.running > 0) {
      this.#abort.abort(new Error("the subscription did not stop in time"));
      await this.#idleWithin(abortGraceMs);
    }
    return this.#lanes.running;
  }

  get draining(): AbortSignal {
    return this.#draining.signal;
  }

  get signal(): AbortSignal {
    return this.#abort.signal;
  }

  finish(running: RunningRecord): void {
    const run = running as Run;
    const { assigned, mark } = run;
    this.#end(run);
    if (assigned?.window.finish(mark)) this.#options.onAdvance();
    this.#readmitRefused();
  }

  leave(running: RunningRecord, reason: unknown): void {
    const isAbort = ({ aborted, reason: own }: AbortSignal) => aborted && reason === own;
    if (!isAbort(this.signal) && !isAbort(this.draining)) this.fail(reason);
    this.#end(running as Run);
  }

  setDeferred(running: RunningRecord, isDeferred: boolean): void {
    const { lane } = running as Run;
    if (lane === undefined) return;
    this.#lanes.setDeferred(lane, isDeferred);
    if (isDeferred) this.#readmitRefused();
  }

  #start(run: Run, lane: Lane<Run>): void {
    run.lane = lane;
    if (this.#starting.length === 0) queueMicrotask(() => this.#handOver());
    this.#starting.push(run);
  }

  #handOver(): void {
    const batch = this.#starting;
    this.#starting = [];
    this.#options.handle(batch, this);
  }

  #end(run: Run): void {
    const { lane } = run;
    if (lane?.running !== run) throw new Error("a record was given back twice");
    if (run.assigned === undefined) this.#orphans.take(run.record.partition, run.record.offset);
    const next = this.#lanes.release(lane);
    if (next !== undefined) this.#start(next, lane);
    if (this.#lanes.running === 0) this.#onIdle?.();
  }

  #orphan(run: Run): void {
    run.assigned = undefined;
    this.#orphans.add(run.record.partition, run.record.offset, run);
  }

  #rejoin(assigned: Assigned, offset: number): boolean {
    const run = this.#orphans.take(assigned.partition, offset);
    if (run === undefined) return false;
    assigned.committed ??= offset;
    run.assigned = assigned;
    run.mark = assigned.window.receive(offset);
    return true;
  }

  #refuse(assigned: Assigned, offset: number): false {
    assigned.refused = offset;
    this.#refused.add(assigned);
    return false;
  }

  /** Only once half of a bound is free, so that fetching does not toggle with each record. */
  #readmitRefused(): void {
    for (const assigned of this.#refused) {
      if (this.#ended || this.#isOver(0.5)) return;
      const { window, refused, partition } = assigned;
      if (refused !== undefined && window.distance(refused) > this.#offsetsBeyondMax / 2) continue;
      this.#refused.delete(assigned);
      assigned.refused = undefined;
      this.#options.onCapacity(partition);
    }
  }

  get #unfinished(): number {
    return this.#lanes.running + this.#lanes.waiting;
  }

  /** Whether `share` of a bound is reached; at exactly half of it, half is free. */
  #isOver(share: 0.5 | 1): boolean {
    const { items, bytes } = this.#lanes.deferred;
    const least = share === 1 ? 0 : 1;
    const isReached = (value: number, max: number) => value >= max * share + least;
    return (
      isReached(this.#unfinished - items, this.#unfinishedMax) ||
      isReached(this.#lanes.bytes - bytes, this.#bytesMax) ||
      isReached(items, this.#deferredMax) ||
      isReached(bytes, this.#deferredBytesMax)
    );
  }

  #close(): void {
    this.#ended = true;
    this.#lanes.close();
  }

  async #idleWithin(durationMs: number): Promise<void> {
    if (this.#lanes.running === 0) return;
    const idle = new AbortController();
    this.#onIdle = () => idle.abort();
    await (this.#options.clock ?? systemClock).sleep(durationMs, idle.signal);
  }
}

function bytesOf({ key, value, headers }: LogRecord): number {
  let bytes = (key?.byteLength ?? 0) + (value?.byteLength ?? 0);
  for (const [name, content] of headers) bytes += name.length + (content?.byteLength ?? 0);
  return bytes;
}

/** The port's view of a flow. The adapter adds why no record can arrive, and how to stop. */
export function createSubscription(
  flow: RecordFlow,
  adapter: {
    readonly problem: () => string | undefined;
    readonly stop: (drainMs: number) => Promise<void>;
  },
): Subscription {
  let stopping: Promise<void> | undefined;
  return {
    failed: flow.failed,
    atWork: (partition) => flow.atWork(partition),
    pause: () => flow.pause(),
    resume: () => flow.resume(),
    get stats() {
      return { ...flow.stats, problem: adapter.problem() };
    },
    stop: ({ drainMs }) => {
      stopping ??= adapter.stop(drainMs);
      return stopping;
    },
  };
}
