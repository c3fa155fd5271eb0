import type { Consumer, ConsumerGroupJoinEvent, EachBatchPayload } from "kafkajs";
import { PartitionAssigners } from "kafkajs";
import type { InstantError } from "../../../core/errors.ts";
import { errorMessage } from "../../../core/errors.ts";
import type { Log } from "../../../core/log.ts";
import { backoffMs, systemClock, withDeadline } from "../../../core/time.ts";
import type { LogRecord } from "../event-log.ts";
import { eventLogErrors } from "../event-log.ts";
import type { PartitionOffset } from "../flow/assignment.ts";
import type { KafkaClient } from "./client.ts";
import { classifyKafkaError, kafkaErrors, kafkaRetry } from "./client.ts";
import { decodeRecord } from "./record-batch.ts";

const metadataMaxAgeMs = 15_000;
const partitionBytesMax = 128 * 1024;
const leaveDeadlineMs = 10_000;

export interface GroupTimings {
  /** A member without heartbeats for this long is replaced. */
  readonly sessionTimeoutMs: number;
  /** How long a rebalance waits for members to rejoin. */
  readonly rebalanceTimeoutMs: number;
  readonly heartbeatIntervalMs: number;
  /** How long a fetch waits for a record. */
  readonly fetchWaitMs: number;
}

export const groupTimingsDefault: GroupTimings = {
  sessionTimeoutMs: 10_000,
  rebalanceTimeoutMs: 15_000,
  heartbeatIntervalMs: 1_000,
  fetchWaitMs: 300,
};

interface GroupMemberOptions {
  /** Patient. */
  readonly client: KafkaClient;
  readonly topic: string;
  readonly group: string;
  readonly log: Log;
  readonly timings: GroupTimings;
  /** The member now owns exactly these partitions; all are fetched from the committed offsets. */
  readonly onAssigned: (partitions: readonly number[]) => void;
  /** The group is about to rebalance; a commit now still counts. */
  readonly onRebalancing: () => void;
  /** The next fetch of a partition. The receiver owns the batch, and may stop the fetching. */
  readonly onBatch: (batch: FetchedBatch) => void;
}

/** The result of one fetch of a partition. */
export interface FetchedBatch {
  readonly partition: number;
  /** The offset of the fetch. */
  readonly from: number;
  /** In order. Empty if it only had transaction markers or aborted records. */
  readonly records: readonly LogRecord[];
  /** How many of them, from the start, the receiver has taken. */
  taken: number;
  /**
   * The offset of the next fetch: everything before it was read. Higher than the last record's
   * offset + 1 where markers, aborted records or gaps of compaction follow.
   */
  readonly next: number;
}

/**
 * One kafkajs consumer, from connecting to leaving the group or crashing.
 *
 * Starting: connects, looks for the topic, joins. Running: fetches and heartbeats; a broker that is
 * down is retried every second, for ever, so that a restart of Kafka causes no rebalance. Ended:
 * `run` has resolved, with the error unless `stop` was called.
 *
 * kafkajs' own restart is disabled: after a crash it would continue as another member.
 */
class GroupSession {
  readonly #options: GroupMemberOptions;
  readonly #consumer: Consumer;
  readonly #ended = Promise.withResolvers<InstantError | undefined>();
  #joining: Promise<void> | undefined;
  #commitOffsets: EachBatchPayload["commitOffsetsIfNecessary"] | undefined;
  #isConsuming = false;
  #isStopped = false;
  #fetchedAt = Date.now();
  #heardAt = Date.now();

  constructor(options: GroupMemberOptions) {
    this.#options = options;
    const { timings } = options;
    this.#consumer = options.client.consumer({
      groupId: options.group,
      sessionTimeout: timings.sessionTimeoutMs,
      rebalanceTimeout: timings.rebalanceTimeoutMs,
      heartbeatInterval: timings.heartbeatIntervalMs,
      maxWaitTimeInMs: timings.fetchWaitMs,
      maxBytesPerPartition: partitionBytesMax,
      metadataMaxAge: metadataMaxAgeMs,
      allowAutoTopicCreation: false,
      partitionAssigners: [PartitionAssigners.roundRobin],
      retry: {
        ...kafkaRetry({ retries: 1_000_000_000, initialRetryTime: 100, maxRetryTime: 1_000 }),
        restartOnFailure: async () => false,
      },
    });
  }

  /** The last time when both a fetch and the coordinator had answered, in Unix ms. */
  get aliveAt(): number {
    return Math.min(this.#fetchedAt, this.#heardAt);
  }

  /** Resolves when it has ended: undefined after `stop`, else the reason. */
  run(): Promise<InstantError | undefined> {
    this.#listen();
    void this.#start();
    return this.#ended.promise;
  }

  /** Whether `partition` is fetched; with a new assignment every partition is. */
  setFetching(partition: number, isFetching: boolean): void {
    if (!this.#isConsuming) return;
    const places = [{ topic: this.#options.topic, partitions: [partition] }];
    if (isFetching) this.#consumer.resume(places);
    else this.#consumer.pause(places);
  }

  /**
   * Commits in the generation of the current assignment. Throws when the group has rebalanced, or
   * Kafka does not answer.
   */
  async commit(offsets: readonly PartitionOffset[]): Promise<void> {
    const { topic } = this.#options;
    if (this.#commitOffsets === undefined) throw new Error("nothing was received yet");
    const partitions = offsets.map(({ partition, offset }) => {
      return { partition, offset: String(offset) };
    });
    await this.#commitOffsets({ topics: [{ topic, partitions }] });
  }

  /** Leaves the group, within 20 s. */
  async stop(): Promise<void> {
    this.#isStopped = true;
    // While a consumer joins for the first time, kafkajs' own stop has no effect.
    if (this.#joining !== undefined) await this.#inTime(this.#joining);
    await this.#leave();
    this.#ended.resolve(undefined);
  }

  /** May end some seconds after `stop` when Kafka does not answer. */
  async #start(): Promise<void> {
    const { topic } = this.#options;
    try {
      await this.#consumer.connect();
      await this.#consumer.subscribe({ topics: [topic], fromBeginning: true });
      if (this.#isStopped) return await this.#leave();
      this.#joining = this.#join();
      await this.#joining;
    } catch (error) {
      await this.#leave();
      this.#ended.resolve(classifyKafkaError(error, { topic }));
    }
  }

  async #join(): Promise<void> {
    this.#isConsuming = true;
    await this.#consumer.run({
      autoCommit: false,
      eachBatchAutoResolve: false,
      eachBatch: this.#take,
    });
    if (this.#isStopped) await this.#leave(); // `stop` did not wait that long
  }

  #listen(): void {
    const { events } = this.#consumer;
    this.#consumer.on(events.FETCH, () => {
      this.#fetchedAt = Date.now();
    });
    this.#consumer.on(events.HEARTBEAT, () => {
      this.#heardAt = Date.now();
    });
    this.#consumer.on(events.GROUP_JOIN, (event) => this.#assign(event));
    this.#consumer.on(events.REBALANCING, () => this.#options.onRebalancing());
    this.#consumer.on(events.CRASH, ({ payload }) => {
      this.#isConsuming = false;
      this.#ended.resolve(classifyKafkaError(payload.error, { topic: this.#options.topic }));
    });
  }

  /** Runs before the first fetch of the new assignment: kafkajs emits before it continues. */
  #assign({ payload }: ConsumerGroupJoinEvent): void {
    const { topic, group, log, onAssigned } = this.#options;
    const partitions = payload.memberAssignment[topic] ?? [];
    this.#heardAt = Date.now();
    // kafkajs keeps a pause across a rebalance, even if the partition was lost in between.
    this.#consumer.resume([{ topic }]);
    log.info({ topic, group, partitions }, "Joined the consumer group");
    onAssigned([...partitions].sort((a, b) => a - b));
  }

  readonly #take = async (payload: EachBatchPayload): Promise<void> => {
    const { batch, resolveOffset, commitOffsetsIfNecessary } = payload;
    const { topic, onBatch } = this.#options;
    const { partition } = batch;
    this.#commitOffsets = commitOffsetsIfNecessary;
    onBatch({
      partition,
      from: Number(batch.fetchedOffset),
      records: batch.messages.map((message) => decodeRecord(topic, partition, message)),
      taken: 0,
      next: Number(batch.nextOffset),
    });
    resolveOffset(batch.lastOffset());
  };

  async #leave(): Promise<void> {
    this.#isConsuming = false;
    await this.#inTime(this.#consumer.disconnect());
  }

  async #inTime(leaving: Promise<void>): Promise<void> {
    const { log, topic, group } = this.#options;
    try {
      await withDeadline("leaving the group", leaveDeadlineMs, leaving);
    } catch (error) {
      log.warn({ topic, group, reason: errorMessage(error) }, "Could not leave the consumer group");
    }
  }
}

const waitMs = 1_000;
const noticeEveryMs = 10_000;
const crashesMax = 5;
const crashBackoff = { delayMsMin: 1_000, delayMsMax: 16_000 };
const crashesResetAfterMs = 5 * 60_000;

/**
 * A lasting member of a consumer group, by one session after another.
 *
 * Waiting: the topic is missing or no broker answers; retries every second, for ever, and logs that
 * at once and then every 10 s. Running: a session has joined; brokers that do not answer for 10 s
 * are logged too. Crashed: any other error; a new session follows after 1, 2, 4, 8, 16 s, and with
 * the sixth crash within 5 minutes it has failed. Failed: `failed` has rejected; at once for an
 * offset out of range and for a missing codec, which no new session would fix. Stopped: the member
 * has left the group.
 */
export class GroupConsumer {
  readonly #options: GroupMemberOptions;
  readonly #failure = Promise.withResolvers<never>();
  readonly #stopped = new AbortController();
  #session: GroupSession | undefined;
  #life: Promise<void> | undefined;
  #problem: InstantError | undefined;
  #isJoined = false;
  #crashedAt: number[] = [];

  constructor(options: GroupMemberOptions) {
    this.#options = options;
    this.#failure.promise.catch(() => {}); // no unhandled rejection without a listener
  }

  /** Never resolves. */
  get failed(): Promise<never> {
    return this.#failure.promise;
  }

  start(): void {
    this.#life ??= this.#live();
  }

  /** Lasts until the next assignment; ignored while there is no session. */
  setFetching(partition: number, isFetching: boolean): void {
    this.#session?.setFetching(partition, isFetching);
  }

  /** Resolves with whether Kafka accepted them; never rejects. */
  async commit(offsets: readonly PartitionOffset[]): Promise<boolean> {
    const { topic, group, log } = this.#options;
    try {
      if (this.#session === undefined) return false;
      await this.#session.commit(offsets);
      return true;
    } catch (error) {
      log.debug({ topic, group, reason: errorMessage(error) }, "Commit failed");
      return false;
    }
  }

  /** Leaves the group; idempotent. */
  async stop(): Promise<void> {
    this.#stopped.abort();
    await this.#session?.stop();
    await this.#life;
  }

  async #live(): Promise<void> {
    const notice = setInterval(() => this.#logProblem(), noticeEveryMs);
    try {
      while (!this.#stopped.signal.aborted) {
        const error = await this.#runSession();
        if (error === undefined || this.#stopped.signal.aborted) return;
        const pauseMs = this.#pauseAfter(error);
        if (pauseMs === undefined) return this.#failure.reject(error);
        await systemClock.sleep(pauseMs, this.#stopped.signal);
      }
    } finally {
      clearInterval(notice);
    }
  }

  async #runSession(): Promise<InstantError | undefined> {
    const session = new GroupSession({
      ...this.#options,
      onAssigned: (partitions) => {
        this.#problem = undefined;
        this.#isJoined = true;
        this.#options.onAssigned(partitions);
      },
    });
    this.#session = session;
    const error = await session.run();
    this.#session = undefined;
    this.#isJoined = false;
    this.#options.onAssigned([]);
    return error;
  }

  /** The delay before the next session; undefined if there is none. */
  #pauseAfter(error: InstantError): number | undefined {
    const { row } = error;
    const { topic, group, log } = this.#options;
    if (row === eventLogErrors.offsetOutOfRange || row === kafkaErrors.codecMissing)
      return undefined;
    if (row === eventLogErrors.logUnavailable || row === eventLogErrors.topicMissing) {
      const isNew = this.#problem?.row !== row;
      this.#problem = error;
      if (isNew) this.#logProblem();
      return waitMs;
    }
    const now = Date.now();
    this.#crashedAt = this.#crashedAt.filter((at) => at > now - crashesResetAfterMs);
    this.#crashedAt.push(now);
    const crashes = this.#crashedAt.length;
    if (crashes > crashesMax) return undefined;
    log.error({ topic, group, crashes, reason: error.message }, "The consumer crashed");
    return backoffMs(crashes, crashBackoff);
  }

  /** Why no record can arrive, if known; undefined while all is well. */
  get problem(): string | undefined {
    const problem = this.#problem;
    if (problem?.row === eventLogErrors.logUnavailable) {
      return `Failed to connect to Kafka: ${problem.detail}`;
    }
    if (problem !== undefined) return problem.message;
    if (!this.#isJoined) return "Kafka: the consumer group has not been joined yet";
    const silentMs = Date.now() - (this.#session?.aliveAt ?? Date.now());
    return silentMs > noticeEveryMs
      ? `Kafka has not answered for ${Math.round(silentMs / 1_000)} s: check that the brokers of KAFKA_BROKERS are running`
      : undefined;
  }

  #logProblem(): void {
    const { topic, group, log } = this.#options;
    const reason = this.problem;
    if (reason === undefined) return;
    const isTopicMissing = this.#problem?.row === eventLogErrors.topicMissing;
    log.warn(
      { topic, group, reason },
      isTopicMissing ? "Waiting for the topic" : "Waiting for Kafka",
    );
  }
}
