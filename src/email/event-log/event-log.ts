import type { ErrorRow } from "../../core/errors.ts";
import { formatGoDuration } from "../../core/time.ts";

/**
 * The event log: an ordered, partitioned, durable log with consumer groups, as Kafka has it.
 *
 * Promises, tested by `tests/contract/event-log.ts` for every adapter:
 * - A publish that resolved is on the log and survives kill -9. One that rejected may be on the
 *   log nevertheless. Records of one key go to one partition, in the order of the calls.
 * - A group reads each record at least once; new groups start at the earliest record.
 * - Records of one key are handled one after the other, in order (a lane); a record without a key
 *   has its own lane. Other lanes continue while one waits.
 * - An offset is committed only when every record before it is finished (the low watermark), so
 *   nothing is lost when a process dies: unfinished records are delivered again. The offset is the
 *   position of the group: offsets without a record (transaction markers, aborted records, what
 *   compaction removed) are skipped as soon as everything before them is finished.
 * - Records of other producers' transactions are read once their transaction is committed, never
 *   when it is aborted. While one is open, no record behind it can be read, of any producer.
 * - A record that is delivered again to the process that still handles it (a rebalance) joins the
 *   run in flight instead of being handled twice at the same time.
 *
 * Left out on purpose: producing in transactions, exactly-once delivery (the ledger's job),
 * compaction.
 */
export interface EventLog extends AsyncDisposable {
  /** For display: "localhost:9092", or "embedded (<file>)". */
  readonly address: string;

  /**
   * Appends to `topic`; resolves, in the order given, once all replicas in sync have acknowledged.
   * Throws `log_unavailable` when that has not happened by `deadlineMs`, `topic_missing`,
   * `record_too_large`.
   */
  publish(
    topic: string,
    records: readonly OutgoingRecord[],
    options: { readonly deadlineMs: number },
  ): Promise<readonly RecordPosition[]>;

  /**
   * Joins `group` on `topic`. Resolves at once; it waits for a missing topic or broker, and logs that
   * every 10 s. See `Subscription`.
   */
  subscribe(options: SubscribeOptions): Promise<Subscription>;

  /**
   * The records of one partition with `from` ≤ offset < `to`, in order; ends early at the end.
   * Throws `topic_missing`; throws `signal.reason` once it is aborted.
   */
  readRange(range: LogRange): AsyncIterable<LogRecord>;

  /** The existing offsets, per partition. Throws `topic_missing`. */
  offsets(topic: string): Promise<readonly PartitionOffsets[]>;

  /** Creates missing topics, reports existing ones; adds partitions only when `grow` is set. */
  createTopics(
    topics: readonly TopicSpec[],
    options: { readonly grow: boolean },
  ): Promise<readonly TopicReport[]>;

  /** What `group` has not committed yet, and its members. Throws `topic_missing`. */
  lag(topic: string, group: string): Promise<readonly PartitionLag[]>;

  /** Resolves if the log answers now; rejects as `publish` does. */
  ping(options: { readonly deadlineMs: number }): Promise<void>;

  /**
   * Stops all subscriptions (handlers have 5 s, and may publish meanwhile), sends queued records,
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
  /** Set when this is not the whole record, so that it can only become a dead letter. */
  readonly unread?: UnreadPart;
}

/**
 * Why a record is not whole: its value was too large, and `value` is the start of it; or the rest of
 * its batch could not be read, from `firstOffset` up to the record's own offset.
 */
export interface UnreadPart {
  readonly of: "record" | "batch";
  /** A readable reason. */
  readonly reason: string;
  readonly firstOffset: number;
  /** Size and SHA-256 (in hex): of the whole value, or of the batch's records as stored. */
  readonly bytes: number;
  readonly sha256: string;
}

/** A record whose handling has begun. */
export interface RunningRecord {
  readonly record: LogRecord;
}

/** How the handler gives running records back: each once, by `finish` or `leave`. */
export interface RunningRecords {
  /** Aborted when the subscription stops: end waits now. */
  readonly draining: AbortSignal;
  /** Aborted when the drain time is over: end everything now. */
  readonly signal: AbortSignal;
  /** The record may be committed. */
  finish(running: RunningRecord): void;
  /**
   * The record stays uncommitted. `reason` is that of the aborted signal; any other is a programmer
   * error, and fails the subscription.
   */
  leave(running: RunningRecord, reason: unknown): void;
  /**
   * While it only waits: it and those behind it in its lane have a separate bound, so that many
   * waiting records do not prevent others from being taken.
   */
  setDeferred(running: RunningRecord, isDeferred: boolean): void;
}

export interface SubscribeOptions {
  readonly topic: string;
  readonly group: string;
  /**
   * Begins to handle records: all that became free to run at one moment, at most one of a lane.
   * Returns at once; a record may take hours (an outage).
   */
  readonly handle: (batch: readonly RunningRecord[], running: RunningRecords) => void;
  /**
   * Most records of the whole subscription that are neither finished nor deferred (deferred ones
   * have a separate bound); default 1,000.
   */
  readonly unfinishedMax?: number;
  /** Most offsets from the low watermark to the newest record of a partition; default 1,000,000. */
  readonly offsetsBeyondLowWatermarkMax?: number;
}

/**
 * Running: records flow. Paused: no handler starts, those in flight continue; a rebalance does not
 * end the pause. Stopped: no handler starts, those in flight have ended, finished records are
 * committed, the member has left the group. Failed: `failed` has rejected; the process should end.
 */
export interface Subscription {
  pause(): void;
  resume(): void;
  readonly stats: SubscriptionStats;
  /**
   * The unfinished, undeferred records of a partition; undefined while this member does not own it
   * or has not read it to its end.
   */
  atWork(partition: number): readonly LogRecord[] | undefined;
  /**
   * Never resolves; rejects when the subscription cannot continue (a crash, an offset out of
   * range).
   */
  readonly failed: Promise<never>;
  /** Waits for handlers up to `drainMs`, then aborts their signal; commits; leaves. Idempotent. */
  stop(options: { readonly drainMs: number }): Promise<void>;
}

export interface SubscriptionStats {
  readonly inFlight: number;
  readonly unfinished: number;
  /** Unfinished ones that are deferred, or wait behind a deferred one. */
  readonly deferred: number;
  readonly paused: boolean;
  /** Partitions this member owns now. */
  readonly partitions: readonly number[];
  /**
   * Why no record can arrive: the log is unavailable, the topic is missing. Undefined if all is
   * well.
   */
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
  /** The offset of the oldest record, and that of the next one. */
  readonly earliest: number;
  readonly next: number;
}

export interface TopicSpec {
  readonly topic: string;
  readonly partitions: number;
  readonly replicationFactor: number;
  readonly retentionMs: number;
  /**
   * A larger record (key, value and headers) is refused, one at least 1 KiB smaller is accepted; in
   * between it depends on the framing.
   */
  readonly recordBytesMax: number;
}

export interface TopicReport {
  readonly topic: string;
  readonly outcome: "created" | "exists" | "grown";
  readonly partitions: number;
  /** Readable differences from the spec; empty if there are none. */
  readonly differences: readonly string[];
}

export interface PartitionLag {
  readonly partition: number;
  /** A readable name of the member that reads it; undefined if none does. */
  readonly owner: string | undefined;
  /** The next offset the group would read; the earliest one without a commit. */
  readonly committed: number;
  /**
   * Readable records that are not committed; 0 when there are none. Exact up to the first MiB;
   * beyond that offsets are counted.
   */
  readonly records: number;
  /** Age of the oldest of them; 0 when there are none. */
  readonly seconds: number;
  /** An open transaction of a producer, which blocks reading beyond it. */
  readonly openTransaction?: OpenTransaction;
}

export interface OpenTransaction {
  /** Its first offset: the partition can be read up to here. */
  readonly offset: number;
  /** Offsets from `offset` to the end: records of any producer that cannot be read yet. */
  readonly records: number;
  /** How long it has been open: the age of its first record. */
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
    meaning: "The group's offset is no longer on the log",
    retryable: false,
    status: 500,
  },
} as const satisfies Record<string, ErrorRow>;

/** An existing topic; what the log does not report is undefined. A retention below 0: for ever. */
export interface TopicState {
  readonly partitions: number;
  readonly replicationFactor: number | undefined;
  readonly retentionMs: number | undefined;
  readonly recordBytesMax: number | undefined;
}

/** How a topic differs from the spec, as text that follows its name. */
export function describeDifferences(spec: TopicSpec, state: TopicState): readonly string[] {
  const { partitions, replicationFactor, retentionMs, recordBytesMax } = state;
  const differences: string[] = [];
  if (partitions !== spec.partitions) {
    differences.push(`has ${partitions} partitions instead of ${spec.partitions}`);
  }
  if (replicationFactor !== undefined && replicationFactor !== spec.replicationFactor) {
    differences.push(
      `has replication factor ${replicationFactor} instead of ${spec.replicationFactor}`,
    );
  }
  if (retentionMs !== undefined && retentionMs !== spec.retentionMs) {
    const kept = retentionMs < 0 ? "for ever" : formatGoDuration(retentionMs);
    differences.push(`keeps records ${kept} instead of ${formatGoDuration(spec.retentionMs)}`);
  }
  if (recordBytesMax !== undefined && recordBytesMax !== spec.recordBytesMax) {
    differences.push(
      `takes records up to ${recordBytesMax} bytes instead of ${spec.recordBytesMax}`,
    );
  }
  return differences;
}

/**
 * MurmurHash2 as in Kafka's Java client (`Utils.murmur2`): a signed 32-bit number. Clients that
 * partition by it agree on the partition of a key.
 */
export function murmur2(bytes: Uint8Array): number {
  const m = 0x5bd1e995;
  const { length } = bytes;
  const view = new DataView(bytes.buffer, bytes.byteOffset, length);
  let hash = 0x9747b28c ^ length;
  let at = 0;
  for (; at + 4 <= length; at += 4) {
    let word = Math.imul(view.getInt32(at, true), m);
    word ^= word >>> 24;
    hash = Math.imul(hash, m) ^ Math.imul(word, m);
  }
  if (at < length) {
    for (let shift = 0; at < length; at += 1, shift += 8) hash ^= view.getUint8(at) << shift;
    hash = Math.imul(hash, m);
  }
  hash ^= hash >>> 13;
  hash = Math.imul(hash, m);
  return hash ^ (hash >>> 15);
}

/** The partition that Kafka's default partitioner chooses for a key. */
export function partitionOfKey(key: Uint8Array, partitions: number): number {
  return (murmur2(key) & 0x7fffffff) % partitions;
}
