import type { ErrorRow } from "../../core/errors.ts";
import type { Defer } from "./flow/record-flow.ts";
import type { UnreadPart } from "./kafka/record.ts";

/**
 * The event log: an ordered, partitioned, durable log with consumer groups, as Kafka has it.
 *
 * Promises, tested by `tests/contract/event-log.ts` for every adapter:
 * - A publish that resolved is on the log and survives kill -9. One that rejected may be on the
 *   log all the same. Records of one key go to one partition, in the order of the calls.
 * - A group reads each record at least once; new groups start at the earliest record.
 * - Records of one key are handled one after the other, in order (a lane); a record without a key
 *   has a lane of its own. Other lanes go on while one waits.
 * - An offset is committed only when every record before it is finished (the low mark), so a
 *   process that dies loses nothing: what was unfinished is delivered again. It is the position of
 *   the group: offsets that are no records (the markers of transactions, aborted records, what
 *   compaction removed) are passed as soon as all before them is finished.
 * - Records of other producers' transactions are read once their transaction is committed, never
 *   when it is aborted. While one is open, nothing behind it can be read, whoever wrote it.
 * - A record that is delivered again to the process that still handles it (a rebalance) joins the
 *   run in flight and is not handled twice at the same time.
 * Left out on purpose: own transactions, exactly-once delivery (the ledger's work), compaction.
 */
export interface EventLog extends AsyncDisposable {
  /** For people: "localhost:9092", or "embedded (<file>)". */
  readonly address: string;

  /**
   * Appends to `topic`; resolves, in the order given, once all replicas in sync have acknowledged.
   * Throws `log_unavailable` when that did not happen by `deadlineMs`, `topic_missing`,
   * `record_too_large`.
   */
  publish(
    topic: string,
    records: readonly OutgoingRecord[],
    options: { readonly deadlineMs: number },
  ): Promise<readonly RecordPosition[]>;

  /**
   * Joins `group` on `topic`. Resolves at once; a topic or a broker that is not there yet is waited
   * for, and said in the log every 10 s. See `Subscription`.
   */
  subscribe(options: SubscribeOptions): Promise<Subscription>;

  /**
   * The records of one partition with `from` ≤ offset < `to`, in order; ends early at the end.
   * Throws `topic_missing`; throws `signal.reason` once it is aborted.
   */
  readRange(range: LogRange): AsyncIterable<LogRecord>;

  /** The offsets that exist, per partition. Throws `topic_missing`. */
  offsets(topic: string): Promise<readonly PartitionOffsets[]>;

  /** Creates what is missing, reports what is there; adds partitions only when `grow` is set. */
  createTopics(
    topics: readonly TopicSpec[],
    options: { readonly grow: boolean },
  ): Promise<readonly TopicReport[]>;

  /** What `group` has not committed yet. Throws `topic_missing`. */
  lag(topic: string, group: string): Promise<readonly PartitionLag[]>;

  /**
   * The members of `group` that read `topic` now, by partition, in words for people; a partition
   * that nobody reads is left out. Throws `topic_missing`.
   */
  owners(topic: string, group: string): Promise<ReadonlyMap<number, string>>;

  /** Whether the log answers now; rejects as `publish` does. */
  ping(options: { readonly deadlineMs: number }): Promise<void>;

  /**
   * Stops all subscriptions (handlers have 5 s, and may publish meanwhile), sends what is queued,
   * releases the connections. Idempotent.
   */
  close(): Promise<void>;
}

/** Names may repeat and keep their order; a value may be null. */
export type RecordHeaders = readonly (readonly [name: string, value: Uint8Array | null])[];

export interface OutgoingRecord {
  readonly key: Uint8Array | null;
  readonly value: Uint8Array | null;
  readonly headers: RecordHeaders;
}

export interface RecordPosition {
  readonly topic: string;
  readonly partition: number;
  readonly offset: number;
}

export interface LogRecord extends OutgoingRecord, RecordPosition {
  /** Unix ms. */
  readonly timestamp: number;
  readonly timestampType: "CreateTime" | "LogAppendTime";
  /** Set when this is not the whole record: no event, only what is left to be buried. */
  readonly unread?: UnreadPart;
}

export interface SubscribeOptions {
  readonly topic: string;
  readonly group: string;
  /**
   * Finishes one record: when it resolves the record may be committed. It may take hours (an
   * outage). When the subscription stops, `draining` aborts at once (who only waits should leave)
   * and `signal` after the drain time (finish now). To leave the record uncommitted throw the
   * `reason` of one that aborted; any other rejection is a programmer error and fails the
   * subscription.
   */
  readonly handle: (
    record: LogRecord,
    signal: AbortSignal,
    draining: AbortSignal,
    defer: Defer,
  ) => Promise<void>;
  /**
   * Most records received, not finished and not deferred (see `Defer`, which has bounds of its own),
   * for the whole subscription (default 1,000).
   */
  readonly unfinishedMax?: number;
  /** Most offsets between the low mark and the newest record, per partition (default 1,000,000). */
  readonly offsetsBeyondLowWatermarkMax?: number;
}

/**
 * Running: records flow. Paused: no handler starts, those in flight go on; a rebalance does not end
 * the pause. Stopped: no handler starts, those in flight were waited for, what finished is
 * committed, the group was left. Failed: `failed` rejected; the process should end.
 */
export interface Subscription {
  pause(): void;
  resume(): void;
  readonly stats: SubscriptionStats;
  /**
   * The unfinished records of a partition of ours that are not deferred; undefined while it is not
   * ours, or is not read to its end.
   */
  atWork(partition: number): readonly LogRecord[] | undefined;
  /** Never resolves; rejects when the subscription cannot go on (a crash, an offset out of range). */
  readonly failed: Promise<never>;
  /** Waits for handlers up to `drainMs`, then aborts their signal; commits; leaves. Idempotent. */
  stop(options: { readonly drainMs: number }): Promise<void>;
}

export interface SubscriptionStats {
  readonly inFlight: number;
  readonly unfinished: number;
  /** Of the unfinished ones: they only wait for their time, or behind one that does. */
  readonly deferred: number;
  readonly paused: boolean;
  /** Partitions this member owns now. */
  readonly partitions: readonly number[];
  /** Why no record can come: the log is away, the topic is missing. Undefined while all is well. */
  readonly problem: string | undefined;
}

export interface LogRange {
  readonly topic: string;
  readonly partition: number;
  readonly from: number;
  readonly to: number;
  readonly signal?: AbortSignal;
}

export interface PartitionOffsets {
  readonly partition: number;
  /** Offset of the oldest record, and the one the next record gets. */
  readonly earliest: number;
  readonly next: number;
}

export interface TopicSpec {
  readonly topic: string;
  readonly partitions: number;
  readonly replicationFactor: number;
  readonly retentionMs: number;
  /**
   * A larger record (key, value and headers) is refused; one that is 1 KiB smaller is taken. In
   * between it depends on the framing.
   */
  readonly recordBytesMax: number;
}

export interface TopicReport {
  readonly topic: string;
  readonly outcome: "created" | "exists" | "grown";
  readonly partitions: number;
  /** What differs from the spec, in words; empty when nothing does. */
  readonly differences: readonly string[];
}

export interface PartitionLag {
  readonly partition: number;
  /** The next offset the group would read; the earliest one when it committed none. */
  readonly committed: number;
  /**
   * Records that can be read and are not committed; 0 when there is none. Exact up to the first MiB;
   * what comes behind that is counted by its offsets.
   */
  readonly records: number;
  /** Age of the oldest of them; 0 when there is none. */
  readonly seconds: number;
  /** A producer's transaction that is open and keeps what is behind it from being read. */
  readonly openTransaction?: OpenTransaction;
}

export interface OpenTransaction {
  /** Where it began: the offset up to which the partition can be read. */
  readonly offset: number;
  /** Offsets from there to the end: records, whoever wrote them, that cannot be read yet. */
  readonly records: number;
  /** For how long it is open: the age of its first record. */
  readonly seconds: number;
}

export const eventLogErrors = {
  logUnavailable: {
    code: "log_unavailable",
    meaning: "The event log did not answer in time",
    retryable: true,
    status: 503,
  },
  topicMissing: {
    code: "topic_missing",
    meaning: "Topic does not exist (create it with: instant create-topics)",
    retryable: true,
    status: 503,
  },
  recordTooLarge: {
    code: "record_too_large",
    meaning: "The record is larger than the topic accepts",
    retryable: false,
    status: 413,
  },
  offsetOutOfRange: {
    code: "offset_out_of_range",
    meaning: "The group's offset is not on the log any more",
    retryable: false,
    status: 500,
  },
} as const satisfies Record<string, ErrorRow>;
