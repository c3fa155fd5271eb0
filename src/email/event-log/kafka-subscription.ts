import { RecordFlow } from "../../core/flow/record-flow.ts";
import type { KafkaClient } from "../../core/kafka/client.ts";
import { GroupConsumer } from "../../core/kafka/group-consumer.ts";
import type { GroupTimings } from "../../core/kafka/group-session.ts";
import { OffsetCommitter } from "../../core/kafka/offset-committer.ts";
import type { TopicAdmin } from "../../core/kafka/topic-admin.ts";
import type { Log } from "../../core/log.ts";
import type { LogRecord, SubscribeOptions, Subscription, SubscriptionStats } from "./event-log.ts";
import { toEventLogError } from "./kafka-errors.ts";
import { explainOutOfRange } from "./kafka-out-of-range.ts";

export interface KafkaSubscriptionOptions extends SubscribeOptions {
  /** Patient. */
  readonly client: KafkaClient;
  readonly admin: TopicAdmin;
  /** As in KAFKA_BROKERS, for commands that are shown. */
  readonly brokers: readonly string[];
  readonly log: Log;
  readonly timings: GroupTimings;
}

/** Nothing is fetched while the backlogs hold more: a batch decompresses to 16 MiB, and each partition has one. */
const backlogBytesMax = 64 * 1024 * 1024;

/** A batch of one partition, from the first record the flow has not taken. */
interface Backlog {
  readonly records: readonly LogRecord[];
  readonly bytes: number;
  index: number;
  /** The group's place once all of them are finished. */
  readonly position: number;
}

/**
 * A subscription: the group's records into the flow, the flow's low marks into the group.
 *
 * Running, paused, failed and stopped as the port says. While the flow refuses a partition, the rest
 * of its last batch (512 KiB as it is stored) waits here and the partition is not fetched.
 */
export class KafkaSubscription implements Subscription {
  readonly #flow: RecordFlow<LogRecord>;
  readonly #consumer: GroupConsumer;
  readonly #committer: OffsetCommitter;
  readonly #backlogs = new Map<number, Backlog>();
  #backlogBytes = 0;
  #stopping: Promise<void> | undefined;

  constructor(options: KafkaSubscriptionOptions) {
    this.#flow = new RecordFlow({
      ...options,
      onAdvance: () => this.#committer.schedule(),
      onRoom: (partition) => this.#offerBacklog(partition),
    });
    this.#consumer = new GroupConsumer({
      ...options,
      onAssigned: (partitions) => this.#assign(partitions),
      onRebalancing: () => void this.#committer.commitNow(),
      onBatch: ({ partition, from, records, next }) => {
        this.#flow.begin(partition, from);
        this.#keepBacklog(partition, {
          records,
          bytes: bytesOf(records),
          index: 0,
          position: next,
        });
        this.#offerBacklog(partition);
      },
    });
    this.#committer = new OffsetCommitter({
      uncommitted: () => this.#flow.uncommitted(),
      commit: (offsets) => this.#consumer.commit(offsets),
      markCommitted: (offsets) => this.#flow.markCommitted(offsets),
    });
    this.#consumer.failed.catch(async (error) => {
      this.#flow.fail(toEventLogError(await explainOutOfRange(options.admin, options, error)));
    });
    this.#consumer.start();
  }

  get failed(): Promise<never> {
    return this.#flow.failed;
  }

  get stats(): SubscriptionStats {
    const { inFlight, unfinished, deferred, paused, partitions } = this.#flow;
    const { trouble } = this.#consumer;
    return { inFlight, unfinished, deferred, paused, partitions, trouble };
  }

  atWork(partition: number): readonly LogRecord[] | undefined {
    return this.#flow.atWork(partition);
  }

  pause(): void {
    this.#flow.pause();
  }

  resume(): void {
    this.#flow.resume();
  }

  stop({ drainMs }: { readonly drainMs: number }): Promise<void> {
    this.#stopping ??= this.#stop(drainMs);
    return this.#stopping;
  }

  async #stop(drainMs: number): Promise<void> {
    const drained = this.#flow.drain(drainMs);
    this.#backlogs.clear();
    for (const partition of this.#flow.partitions) this.#consumer.setFetching(partition, false);
    this.#backlogBytes = 0;
    await drained; // meanwhile the member heartbeats and stays in the group
    await this.#committer.close();
    await this.#consumer.stop();
  }

  #assign(partitions: readonly number[]): void {
    this.#backlogs.clear();
    this.#backlogBytes = 0;
    this.#flow.revoke(this.#flow.partitions);
    this.#flow.assign(partitions);
    for (const partition of partitions) this.#updateFetching(partition);
  }

  #offerBacklog(partition: number): void {
    const backlog = this.#backlogs.get(partition);
    if (backlog !== undefined) this.#offer(partition, backlog);
    this.#updateFetching(partition);
  }

  #offer(partition: number, backlog: Backlog): void {
    const { records, position } = backlog;
    for (; backlog.index < records.length; backlog.index += 1) {
      const record = records[backlog.index];
      if (record !== undefined && !this.#flow.offer(record)) return;
    }
    this.#dropBacklog(partition, backlog);
    this.#flow.advance(partition, position);
  }

  #keepBacklog(partition: number, backlog: Backlog): void {
    this.#backlogs.set(partition, backlog);
    this.#countBacklog(backlog.bytes);
  }

  #dropBacklog(partition: number, backlog: Backlog): void {
    this.#backlogs.delete(partition);
    this.#countBacklog(-backlog.bytes);
  }

  /** Over the bound, or under it again, all partitions are concerned. */
  #countBacklog(bytes: number): void {
    const wasFull = this.#isFull;
    this.#backlogBytes += bytes;
    if (this.#isFull !== wasFull)
      for (const each of this.#flow.partitions) this.#updateFetching(each);
  }

  get #isFull(): boolean {
    return this.#backlogBytes >= backlogBytesMax;
  }

  #updateFetching(partition: number): void {
    this.#consumer.setFetching(partition, !this.#isFull && this.#flow.isFetchable(partition));
  }
}

function bytesOf(records: readonly LogRecord[]): number {
  return records.reduce((sum, { value }) => sum + (value?.byteLength ?? 0), 0);
}
