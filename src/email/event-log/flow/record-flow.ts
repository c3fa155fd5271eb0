import type { Clock } from "../../../core/time.ts";
import { systemClock } from "../../../core/time.ts";
import type { Assigned, PartitionOffset, UnfinishedRecord } from "./assignment.ts";
import { Assignment, hasUncommitted, Orphans } from "./assignment.ts";
import type { Lane } from "./lanes.ts";
import { Lanes, laneKey } from "./lanes.ts";

/** What the flow needs to know of a record. */
export interface FlowRecord {
  readonly key: Uint8Array | null;
  readonly partition: number;
  readonly offset: number;
  readonly value?: Uint8Array | null;
  readonly headers?: readonly (readonly [name: string, value: Uint8Array | null])[];
}

/**
 * Waits for `wait` while the record counts as deferred: it and those behind it in its lane have a
 * bound of their own, so that many that only wait do not keep others from being taken.
 */
export type Defer = (wait: () => Promise<void>) => Promise<void>;

export interface RecordFlowOptions<R extends FlowRecord> {
  /**
   * Runs one record. Resolves: finished. When the flow drains, `draining` aborts at once (who only
   * waits should leave) and `signal` after the drain time. Rejects with the reason of an aborted
   * one: left unfinished. Rejects with anything else: the flow has failed.
   */
  readonly handle: (
    record: R,
    signal: AbortSignal,
    draining: AbortSignal,
    defer: Defer,
  ) => Promise<void>;
  /** `uncommitted()` has something new. Called within the finish of many records: be quick. */
  readonly onAdvance: () => void;
  /** A partition that had a record refused may be fetched again, from that record on. */
  readonly onCapacity: (partition: number) => void;
  /**
   * Most records that wait or run and are not deferred, whatever became of their partition
   * (default 1,000). Deferred ones that go on may exceed it for a while.
   */
  readonly unfinishedMax?: number;
  /** Most bytes of them (default 64 MiB); one more record is taken below it. */
  readonly unfinishedBytesMax?: number;
  /** Most deferred records (default 20,000), and most bytes of them (default 64 MiB). */
  readonly deferredMax?: number;
  readonly deferredBytesMax?: number;
  /** Most offsets from a partition's low mark to its newest record (default 1,000,000). */
  readonly offsetsBeyondLowWatermarkMax?: number;
  readonly clock?: Clock;
}

const unfinishedMaxDefault = 1_000;
const unfinishedBytesMaxDefault = 64 * 1024 * 1024;
const deferredMaxDefault = 20_000;
const deferredBytesMaxDefault = 64 * 1024 * 1024;
/** 4 h, the longest that a mail is deferred, at 70 records a second in one partition. */
const offsetsBeyondLowWatermarkMaxDefault = 1_000_000;
/** How long aborted handlers may take to end before `drain` goes on without them. */
const abortGraceMs = 5_000;

/** A record that waits in its lane or runs. */
interface Run<R> {
  readonly record: R;
  /** Whose low mark it holds back; undefined once its partition was revoked. */
  assigned: Assigned | undefined;
  mark: UnfinishedRecord;
}

/**
 * Takes the records of a subscription's partitions, runs them in one lane per key, and says which
 * offsets may be committed. It fetches, commits and waits for nothing itself; the adapter does.
 *
 * Flowing: offered records start as soon as their lane is free.
 * Paused: nothing starts, what runs goes on, records are taken up to the bounds. Assigning and
 * revoking do not end it.
 * Ended (by `drain`, or by a failure: then `failed` has rejected): nothing starts or is taken, what
 * runs goes on and may still be committed.
 *
 * Bounds: `unfinishedMax` records that wait or run (1,000), or `unfinishedBytesMax` bytes of them
 * (64 MiB), whatever happened to their partition; those of deferred lanes apart from them,
 * `deferredMax` (20,000) and `deferredBytesMax` (64 MiB); `offsetsBeyondLowMarkMax` offsets between a
 * partition's low mark and its newest record (1,000,000, which is what a restart reads again at
 * most; a finished one costs no memory).
 * A record over a bound is refused; `onRoom` follows when half of the bound is free again.
 *
 * How an adapter uses it: `assign`, fetch from the committed offset (`begin` where that is known),
 * `offer` in ascending order; on a refusal stop fetching that partition, and after `onRoom` offer
 * from the refused record on (kept from the batch, or fetched again). Where offsets may be no
 * records, `advance` once all records of a fetch were taken. On a rebalance `revoke` what was held,
 * then `assign`. At the end `drain`, commit `uncommitted()`, leave.
 */
export class RecordFlow<R extends FlowRecord> {
  readonly #options: RecordFlowOptions<R>;
  readonly #unfinishedMax: number;
  readonly #bytesMax: number;
  readonly #offsetsBeyondMax: number;
  readonly #deferredMax: number;
  readonly #deferredBytesMax: number;
  readonly #lanes: Lanes<Run<R>>;
  readonly #assignment = new Assignment();
  readonly #refused = new Set<Assigned>();
  readonly #orphans = new Orphans<Run<R>>();
  readonly #draining = new AbortController();
  readonly #abort = new AbortController();
  readonly #failure = Promise.withResolvers<never>();
  /** Of the records that wait or run. */
  #bytes = 0;
  #paused = false;
  #ended = false;
  #onIdle: (() => void) | undefined;

  constructor(options: RecordFlowOptions<R>) {
    this.#options = options;
    this.#unfinishedMax = options.unfinishedMax ?? unfinishedMaxDefault;
    this.#bytesMax = options.unfinishedBytesMax ?? unfinishedBytesMaxDefault;
    this.#offsetsBeyondMax =
      options.offsetsBeyondLowWatermarkMax ?? offsetsBeyondLowWatermarkMaxDefault;
    this.#deferredMax = options.deferredMax ?? deferredMaxDefault;
    this.#deferredBytesMax = options.deferredBytesMax ?? deferredBytesMaxDefault;
    this.#lanes = new Lanes(
      (run, lane) => this.#start(run, lane),
      ({ record }) => bytesOf(record),
    );
    this.#failure.promise.catch(() => {}); // a failure that nobody listens to is not unhandled
  }

  /** Never resolves; rejects with a handler's error or the one given to `fail`. */
  get failed(): Promise<never> {
    return this.#failure.promise;
  }

  get inFlight(): number {
    return this.#lanes.running;
  }

  get unfinished(): number {
    return this.#lanes.running + this.#lanes.waiting;
  }

  /** Of the unfinished ones: those that only wait for a time to come, and those behind them. */
  get deferred(): number {
    return this.#lanes.deferred.items;
  }

  /**
   * The unfinished records of a partition that are not deferred. Undefined where the flow cannot
   * say what is still to be done: it is not assigned, or not fetched to its end.
   */
  atWork(partition: number): readonly R[] | undefined {
    if (!this.isFetchable(partition)) return undefined;
    const assigned = this.#assignment.find(partition);
    const records: R[] = [];
    for (const { item, deferred } of this.#lanes.items()) {
      if (!deferred && item.assigned === assigned) records.push(item.record);
    }
    return records;
  }

  get paused(): boolean {
    return this.#paused;
  }

  get partitions(): readonly number[] {
    return this.#assignment.partitions;
  }

  /** Whether a fetch of this partition is of use: it is assigned and nothing of it is refused. */
  isFetchable(partition: number): boolean {
    const assigned = this.#assignment.find(partition);
    return assigned !== undefined && assigned.refused === undefined && !this.#ended;
  }

  /** Starts these partitions afresh; their records come again from the committed offset on. */
  assign(partitions: readonly number[]): void {
    this.revoke(partitions);
    for (const partition of partitions) this.#assignment.add(partition);
  }

  /** Fetching begins at `offset`, which is committed or need not be. Only the first call counts. */
  begin(partition: number, offset: number): void {
    const assigned = this.#assignment.find(partition);
    if (assigned !== undefined) assigned.committed ??= offset;
  }

  /**
   * Every record before `position` was offered and taken: once they are finished, `position` may be
   * committed, though the offsets before it may be no records.
   */
  advance(partition: number, position: number): void {
    const assigned = this.#assignment.find(partition);
    if (assigned === undefined) return;
    assigned.lowWatermark.advance(position);
    if (hasUncommitted(assigned)) this.#options.onAdvance();
  }

  /**
   * Drops what waits. What runs goes on; when its record is offered again, the copy joins the run.
   * Nothing of these partitions is committable any more.
   */
  revoke(partitions: readonly number[]): void {
    const revoked = this.#assignment.remove(partitions);
    if (revoked.size === 0) return;
    for (const assigned of revoked) this.#refused.delete(assigned);
    const isRevoked = ({ assigned }: Run<R>) => assigned !== undefined && revoked.has(assigned);
    this.#lanes.dropWaiting((run) => {
      const isDropped = isRevoked(run);
      if (isDropped) this.#bytes -= bytesOf(run.record);
      return isDropped;
    });
    for (const run of this.#lanes.runningItems()) if (isRevoked(run)) this.#orphan(run);
    this.#readmitRefused();
  }

  /**
   * Takes a record, or refuses it (false): over a bound, partition not assigned, or flow ended.
   * A record that was taken before is ignored (true).
   */
  offer(record: R): boolean {
    const assigned = this.#assignment.find(record.partition);
    if (assigned === undefined || this.#ended) return false;
    const { lowWatermark } = assigned;
    const { offset } = record;
    if (lowWatermark.has(offset)) return true;
    if (lowWatermark.distance(offset) >= this.#offsetsBeyondMax)
      return this.#refuse(assigned, offset);
    if (!this.#orphans.isEmpty && this.#rejoin(assigned, offset)) return true;
    if (this.#isOver(1)) return this.#refuse(assigned, offset);
    this.#bytes += bytesOf(record);
    assigned.committed ??= offset;
    this.#lanes.push(laneKey(record.key), { record, assigned, mark: lowWatermark.receive(offset) });
    return true;
  }

  pause(): void {
    this.#paused = true;
    this.#lanes.close();
  }

  resume(): void {
    this.#paused = false;
    if (!this.#ended) this.#lanes.open();
  }

  /** The low marks of assigned partitions that are ahead of what was committed. */
  uncommitted(): readonly PartitionOffset[] {
    return this.#assignment.uncommitted();
  }

  /** The adapter committed these. */
  markCommitted(offsets: Iterable<PartitionOffset>): void {
    this.#assignment.markCommitted(offsets);
  }

  /** Ends the flow: `failed` rejects. */
  fail(error: unknown): void {
    this.#end();
    this.#failure.reject(error);
  }

  /**
   * Ends the flow, tells handlers that only wait to leave, waits; after `drainMs` aborts the signal
   * and waits 5 s more. Resolves with how many still run; their records stay unfinished.
   */
  async drain(drainMs: number): Promise<number> {
    this.#end();
    this.#draining.abort(new Error("the subscription stops"));
    await this.#idleWithin(drainMs);
    if (this.inFlight > 0) {
      this.#abort.abort(new Error("the subscription did not stop in time"));
      await this.#idleWithin(abortGraceMs);
    }
    return this.inFlight;
  }

  #start(run: Run<R>, lane: Lane<Run<R>>): void {
    const { signal } = this.#abort;
    const draining = this.#draining.signal;
    const defer: Defer = async (wait) => {
      this.#lanes.setDeferred(lane, true);
      this.#readmitRefused();
      try {
        await wait();
      } finally {
        this.#lanes.setDeferred(lane, false);
      }
    };
    Promise.try(this.#options.handle, run.record, signal, draining, defer).then(
      () => this.#finish(run, lane),
      (error) => {
        const left = [signal, draining].some((each) => each.aborted && error === each.reason);
        if (!left) this.fail(error);
        this.#leave(run, lane);
      },
    );
  }

  #finish(run: Run<R>, lane: Lane<Run<R>>): void {
    const { assigned, mark } = run;
    this.#leave(run, lane);
    if (assigned?.lowWatermark.finish(mark)) this.#options.onAdvance();
    this.#readmitRefused();
  }

  #leave(run: Run<R>, lane: Lane<Run<R>>): void {
    if (run.assigned === undefined) this.#orphans.take(run.record.partition, run.record.offset);
    this.#bytes -= bytesOf(run.record);
    this.#lanes.release(lane);
    if (this.inFlight === 0) this.#onIdle?.();
  }

  #orphan(run: Run<R>): void {
    run.assigned = undefined;
    this.#orphans.add(run.record.partition, run.record.offset, run);
  }

  #rejoin(assigned: Assigned, offset: number): boolean {
    const run = this.#orphans.take(assigned.partition, offset);
    if (run === undefined) return false;
    assigned.committed ??= offset;
    run.assigned = assigned;
    run.mark = assigned.lowWatermark.receive(offset);
    return true;
  }

  #refuse(assigned: Assigned, offset: number): false {
    assigned.refused = offset;
    this.#refused.add(assigned);
    return false;
  }

  /** Half of a bound must be free, so that fetching does not stop and go with each record. */
  #readmitRefused(): void {
    for (const assigned of this.#refused) {
      if (this.#ended || this.#isOver(0.5)) return;
      const { lowWatermark, refused, partition } = assigned;
      if (refused !== undefined && lowWatermark.distance(refused) > this.#offsetsBeyondMax / 2)
        continue;
      this.#refused.delete(assigned);
      assigned.refused = undefined;
      this.#options.onCapacity(partition);
    }
  }

  /** Whether `share` of a bound of the process is reached; a half is not yet over at the half. */
  #isOver(share: 0.5 | 1): boolean {
    const { items, bytes } = this.#lanes.deferred;
    const least = share === 1 ? 0 : 1;
    const isReached = (value: number, max: number) => value >= max * share + least;
    return (
      isReached(this.unfinished - items, this.#unfinishedMax) ||
      isReached(this.#bytes - bytes, this.#bytesMax) ||
      isReached(items, this.#deferredMax) ||
      isReached(bytes, this.#deferredBytesMax)
    );
  }

  #end(): void {
    this.#ended = true;
    this.#lanes.close();
  }

  async #idleWithin(durationMs: number): Promise<void> {
    if (this.inFlight === 0) return;
    const idle = new AbortController();
    this.#onIdle = () => idle.abort();
    await (this.#options.clock ?? systemClock).sleep(durationMs, idle.signal);
  }
}

function bytesOf({ key, value, headers = [] }: FlowRecord): number {
  let bytes = (key?.byteLength ?? 0) + (value?.byteLength ?? 0);
  for (const [name, content] of headers) bytes += name.length + (content?.byteLength ?? 0);
  return bytes;
}
