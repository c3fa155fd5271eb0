import type { Cluster, FetchedPartition } from "kafkajs";
import { Batch } from "kafkajs";
import { backoffMs } from "../../../core/backoff.ts";
import { InstantError } from "../../../core/errors.ts";
import { systemClock } from "../../../core/time.ts";
import type { LogRange, LogRecord } from "../event-log.ts";
import { eventLogErrors } from "../event-log.ts";
import type { KafkaClient } from "./client.ts";
import { classifyKafkaError, unavailable } from "./errors.ts";
import { decodeRecord } from "./record.ts";

const fetchBytesMax = 1024 * 1024;
const isolation = { readUncommitted: 0, readCommitted: 1 } as const;
const attemptsMax = 5;
const fetchBackoff = { delayMsMin: 200, delayMsMax: 1_600 };

/** The records of one fetch, and where the readable part of the partition ends. */
interface KafkaFetch {
  readonly records: readonly LogRecord[];
  /** The offset to continue at; at the end, the same offset again. */
  readonly next: number;
  /** The first offset of an open transaction, or the end: nothing from here on can be read. */
  readonly stableEnd: number;
  /** The offset of the next record (the high watermark). */
  readonly end: number;
}

/**
 * Reads ranges of one topic by fetching from its brokers. Not as a consumer group: that would need
 * a unique name, rights for it, an initial rebalance, and deletion afterwards.
 */
export class RangeReader implements AsyncDisposable {
  readonly #cluster: Cluster;

  private constructor(cluster: Cluster) {
    this.#cluster = cluster;
  }

  /** Throws `topic_missing`, `log_unavailable`. */
  static async open(client: KafkaClient, topic: string): Promise<RangeReader> {
    const reader = new RangeReader(client.cluster());
    try {
      await reader.#cluster.connect();
      await reader.#cluster.addTargetTopic(topic);
      return reader;
    } catch (error) {
      await reader[Symbol.asyncDispose]();
      throw classifyKafkaError(error, { topic });
    }
  }

  /**
   * The records with `from` ≤ offset < `to`, in order, fetch by fetch; a fetch may be empty; from
   * the oldest record when `from` is older; ends at the end of the log. Each fetch has 5 attempts
   * within 3 s. Throws `signal.reason` once it is aborted.
   */
  async *fetches(range: LogRange): AsyncGenerator<KafkaFetch, void, undefined> {
    const { topic, partition, to, signal } = range;
    let from = range.from;
    while (from < to) {
      signal?.throwIfAborted();
      const fetched = await this.#fetchPatiently(range, from, isolation.readCommitted);
      if (fetched === "before_the_oldest") {
        const oldest = await this.#oldest(topic, partition);
        if (oldest <= from) return; // beyond the end
        from = oldest;
        continue;
      }
      const batch = new Batch(topic, String(from), fetched);
      const records = batch.messages
        .map((message) => decodeRecord(topic, partition, message))
        .filter(({ offset }) => offset < to);
      const next = Number(batch.nextOffset);
      const end = Number(fetched.highWatermark);
      yield { records, next, stableEnd: Number(fetched.lastStableOffset ?? end), end };
      if (next <= from) return;
      from = next;
    }
  }

  /** When the record at `offset`, or the next one, was written; open transactions count as well. */
  async timestampAt(topic: string, partition: number, offset: number): Promise<number | undefined> {
    const fetched = await this.#fetchPatiently(
      { topic, partition },
      offset,
      isolation.readUncommitted,
    );
    if (fetched === "before_the_oldest") return undefined;
    const [first] = new Batch(topic, String(offset), fetched).messages;
    return first === undefined ? undefined : Number(first.timestamp);
  }

  async [Symbol.asyncDispose](): Promise<void> {
    await this.#cluster.disconnect().catch(() => {}); // the broker closes the rest
  }

  async #fetchPatiently(
    range: Pick<LogRange, "topic" | "partition" | "signal">,
    offset: number,
    isolationLevel: number,
  ): Promise<FetchedPartition | "before_the_oldest"> {
    for (let attempt = 1; ; attempt += 1) {
      try {
        return await this.#fetch(range, offset, isolationLevel);
      } catch (error) {
        const failure = classifyKafkaError(error, { topic: range.topic });
        if (failure.row === eventLogErrors.offsetOutOfRange) return "before_the_oldest";
        if (!failure.retryable || attempt >= attemptsMax) throw failure;
        await systemClock.sleep(backoffMs(attempt, fetchBackoff), range.signal);
        await this.#cluster.refreshMetadata().catch(() => {}); // the next fetch throws the error
      }
    }
  }

  async #fetch(
    { topic, partition }: Pick<LogRange, "topic" | "partition">,
    offset: number,
    isolationLevel: number,
  ): Promise<FetchedPartition> {
    await this.#cluster.refreshMetadataIfNecessary();
    const leaders = this.#cluster.findLeaderForPartitions(topic, [partition]);
    const nodeId = Object.keys(leaders)[0];
    if (nodeId === undefined) {
      throw new InstantError(eventLogErrors.topicMissing, {
        detail: `${topic} partition ${partition}`,
      });
    }
    const broker = await this.#cluster.findBroker({ nodeId });
    const { responses } = await broker.fetch({
      isolationLevel,
      maxWaitTime: 0,
      minBytes: 0, // at the end of the log: an empty answer at once
      maxBytes: fetchBytesMax,
      topics: [
        {
          topic,
          partitions: [{ partition, fetchOffset: String(offset), maxBytes: fetchBytesMax }],
        },
      ],
    });
    const fetched = responses[0]?.partitions[0];
    if (fetched === undefined) {
      throw unavailable("a fetch without an answer");
    }
    return fetched;
  }

  async #oldest(topic: string, partition: number): Promise<number> {
    try {
      const offsets = await this.#cluster.fetchTopicsOffset([
        { topic, partitions: [{ partition }], fromBeginning: true },
      ]);
      return Number(offsets[0]?.partitions[0]?.offset ?? 0);
    } catch (error) {
      throw classifyKafkaError(error, { topic });
    }
  }
}
