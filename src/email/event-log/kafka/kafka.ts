// The event log on Kafka: the port's adapter, range reads, and lag.
import type { Cluster, FetchedPartition } from "kafkajs";
import { Batch } from "kafkajs";
import { InstantError } from "../../../core/errors.ts";
import type { Log } from "../../../core/log.ts";
import type { Clock } from "../../../core/time.ts";
import { backoffMs, systemClock, withDeadline } from "../../../core/time.ts";
import type {
  EventLog,
  LogRange,
  LogRecord,
  OpenTransaction,
  PartitionLag,
  PartitionOffsets,
  Subscription,
  TopicReport,
} from "../event-log.ts";
import { eventLogErrors } from "../event-log.ts";
import { Semaphore } from "../flow/lanes.ts";
import { AdminSession, createKafkaTopic, GroupAdmin, TopicAdmin } from "./admin.ts";
import type { KafkaClient, KafkaConnection } from "./client.ts";
import { classifyKafkaError, createKafkaClient, toPublishError, unavailable } from "./client.ts";
import type { GroupTimings } from "./group-consumer.ts";
import { groupTimingsDefault } from "./group-consumer.ts";
import { TopicProducer } from "./producer.ts";
import { decodeRecord } from "./record-batch.ts";
import { openKafkaSubscription } from "./subscription.ts";

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
class RangeReader implements AsyncDisposable {
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

interface LagSources {
  readonly admin: TopicAdmin;
  readonly groups: GroupAdmin;
  readonly client: KafkaClient;
  readonly clock: Clock;
}

/** A fetch of a MiB may contain two batches that decompress to 16 MiB. */
const partitionsAtOnce = 4;

/**
 * A log may be full of aborted records: after 16 MiB without a record the rest counts as records.
 */
const fetchesMax = 16;

/**
 * The lag of `group`, found by reading the records: an offset may be a transaction marker, an
 * aborted record or a gap of compaction, which would prevent the lag from returning to 0. Reads up
 * to the first record (for the age) and to the end of that MiB, not further, because it is called
 * often.
 */
export async function readKafkaLag(
  { admin, groups, client, clock }: LagSources,
  topic: string,
  group: string,
): Promise<readonly PartitionLag[]> {
  const offsets = await admin.offsets(topic);
  const committed = await admin.committed(topic, group);
  const owners = await groups.owners(topic, group);
  // A partition that is read to its end is fetched as well: only a fetch shows open transactions.
  await using reader = await RangeReader.open(client, topic);
  const turns = new Semaphore(partitionsAtOnce);
  return await Promise.all(
    offsets.map(async (each) => {
      const { partition, earliest } = each;
      const from = committed.get(partition) ?? earliest;
      const unread = await turns.use(() => readUnread({ reader, clock, topic }, each, from));
      return { partition, owner: owners.get(partition), committed: from, ...unread };
    }),
  );
}

interface UnreadSources extends Pick<LagSources, "clock"> {
  readonly reader: RangeReader;
  readonly topic: string;
}

/** What can and what cannot be read of a partition from `from` on. */
async function readUnread(
  { reader, clock, topic }: UnreadSources,
  { partition, earliest }: PartitionOffsets,
  from: number,
): Promise<Pick<PartitionLag, "records" | "seconds" | "openTransaction">> {
  const range = { topic, partition, from: Math.max(from, earliest), to: Number.MAX_SAFE_INTEGER };
  const secondsSince = (timestamp: number | undefined) =>
    timestamp === undefined ? 0 : Math.max(0, clock.now() - timestamp) / 1_000;
  let records = 0;
  let fetches = 0;
  let oldest: number | undefined;
  let openTransaction: OpenTransaction | undefined;
  for await (const fetch of reader.fetches(range)) {
    const { next, stableEnd, end } = fetch;
    fetches += 1;
    records = fetch.records.length;
    oldest = fetch.records[0]?.timestamp;
    if (end > stableEnd) {
      const seconds = secondsSince(await reader.timestampAt(topic, partition, stableEnd));
      openTransaction = { offset: stableEnd, records: end - stableEnd, seconds };
    }
    if (records === 0 && fetches < fetchesMax) continue;
    records += Math.max(0, stableEnd - next);
    break;
  }
  const seconds = secondsSince(oldest);
  return { records, seconds, ...(openTransaction !== undefined && { openTransaction }) };
}

const drainOnCloseMs = 5_000;

interface KafkaEventLogOptions {
  readonly connection: KafkaConnection;
  readonly log: Log;
  readonly timings?: Partial<GroupTimings>;
  readonly clock?: Clock;
}

/**
 * The event log on Apache Kafka. Opens no connection: each part connects on its first use, so a
 * process starts while Kafka is down. Throws `config_invalid` when the CA file cannot be read.
 */
export async function openKafkaEventLog(options: KafkaEventLogOptions): Promise<EventLog> {
  const { connection, log, clock = systemClock } = options;
  const { brokers } = connection;
  const timings = { ...groupTimingsDefault, ...options.timings };
  const client = createKafkaClient({ connection, log, patience: "quick" });
  const patientClient = createKafkaClient({ connection, log, patience: "patient" });
  const session = new AdminSession(client);
  const admin = new TopicAdmin(session);
  const groups = new GroupAdmin(session);
  const producers = new Map<string, TopicProducer>();
  const subscriptions = new Set<Subscription>();
  let closing: Promise<void> | undefined;

  const producerOf = (topic: string): TopicProducer => {
    let producer = producers.get(topic);
    if (producer === undefined) {
      const batchBytesMax = () => admin.recordBytesMax(topic);
      producer = new TopicProducer({ client, log, topic, batchBytesMax });
      producers.set(topic, producer);
    }
    return producer;
  };

  const closeAll = async () => {
    await Promise.all([...subscriptions].map((each) => each.stop({ drainMs: drainOnCloseMs })));
    await Promise.all([...producers.values()].map((each) => each.close()));
    await session.close();
  };

  const eventLog: EventLog = {
    address: brokers.join(","),
    publish: (topic, records, { deadlineMs }) => producerOf(topic).publish(records, deadlineMs),
    subscribe: async (wanted) => {
      const shared = { client: patientClient, admin, brokers, log, timings };
      const subscription = openKafkaSubscription({ ...wanted, ...shared });
      subscriptions.add(subscription);
      return subscription;
    },
    readRange: (range) => readRange(client, range),
    offsets: (topic) => admin.offsets(topic),
    createTopics: async (specs, { grow }) => {
      const reports: TopicReport[] = [];
      for (const spec of specs) reports.push(await createKafkaTopic(admin, spec, grow));
      return reports;
    },
    lag: (topic, group) => readKafkaLag({ admin, groups, client, clock }, topic, group),
    ping: ({ deadlineMs }) =>
      withDeadline("asking Kafka for its brokers", deadlineMs, admin.ping()).catch((error) => {
        throw toPublishError(error);
      }),
    close: () => {
      closing ??= closeAll();
      return closing;
    },
    [Symbol.asyncDispose]: () => eventLog.close(),
  };
  return eventLog;
}

async function* readRange(
  client: KafkaClient,
  range: LogRange,
): AsyncGenerator<LogRecord, void, undefined> {
  await using reader = await RangeReader.open(client, range.topic);
  for await (const { records } of reader.fetches(range)) {
    for (const record of records) {
      range.signal?.throwIfAborted();
      yield record;
    }
  }
}
