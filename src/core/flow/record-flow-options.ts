import type { Clock } from "../clock.ts";

/** What the flow needs to know of a record. */
export interface FlowRecord {
  readonly key: Uint8Array | null;
  readonly partition: number;
  readonly offset: number;
  readonly value?: Uint8Array | null;
  readonly headers?: readonly (readonly [name: string, value: Uint8Array | null])[];
}

export interface RecordFlowOptions<R extends FlowRecord> {
  /**
   * Runs one record. Resolves: finished. When the flow drains, `draining` aborts at once (who only
   * waits should leave) and `signal` after the drain time. Rejects with the reason of an aborted
   * one: left unfinished. Rejects with anything else: the flow has failed.
   */
  readonly handle: (record: R, signal: AbortSignal, draining: AbortSignal) => Promise<void>;
  /** `uncommitted()` has something new. Called within the finish of many records: be quick. */
  readonly onAdvance: () => void;
  /** A partition that had a record refused may be fetched again, from that record on. */
  readonly onRoom: (partition: number) => void;
  /** Most records that wait or run, whatever became of their partition (default 1,000). */
  readonly unfinishedMax?: number;
  /** Most bytes of them (default 64 MiB); one more record is taken below it. */
  readonly unfinishedBytesMax?: number;
  /** Most offsets from a partition's low mark to its newest record (default 50,000). */
  readonly offsetsBeyondLowMarkMax?: number;
  readonly clock?: Clock;
}
