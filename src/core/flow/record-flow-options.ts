import type { Clock } from "../clock.ts";

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
  readonly onRoom: (partition: number) => void;
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
  readonly offsetsBeyondLowMarkMax?: number;
  readonly clock?: Clock;
}
