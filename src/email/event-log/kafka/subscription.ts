import { InstantError, isInstantError } from "../../../core/errors.ts";
import type { Log } from "../../../core/log.ts";
import { withDeadline } from "../../../core/time.ts";
import type { SubscribeOptions, Subscription } from "../event-log.ts";
import { eventLogErrors } from "../event-log.ts";
import type { PartitionOffset } from "../flow/assignment.ts";
import { createSubscription, RecordFlow } from "../flow/record-flow.ts";
import type { TopicAdmin } from "./admin.ts";
import type { KafkaClient } from "./client.ts";
import type { FetchedBatch, GroupTimings } from "./group-consumer.ts";
import { GroupConsumer } from "./group-consumer.ts";

interface KafkaSubscriptionOptions extends SubscribeOptions {
  /** Patient. */
  readonly client: KafkaClient;
  readonly admin: TopicAdmin;
  /** As in KAFKA_BROKERS, for suggested commands. */
  readonly brokers: readonly string[];
  readonly log: Log;
  readonly timings: GroupTimings;
}

/**
 * A subscription: passes the group's records to the flow, and commits the flow's low watermarks.
 */
export function openKafkaSubscription(options: KafkaSubscriptionOptions): Subscription {
  const member = new FlowingMember(options);
  return createSubscription(member.flow, {
    problem: () => member.consumer.problem,
    stop: (drainMs) => member.stop(drainMs),
  });
}

/** The limit of all backlogs: a batch may decompress to 16 MiB, and each partition has one. */
const backlogBytesMax = 64 * 1024 * 1024;

/**
 * A group member whose records go through a flow. While the flow refuses a partition, the rest of
 * its last batch (its backlog; 128 KiB as stored) waits here and the partition is not fetched;
 * above 64 MiB of backlogs no partition is.
 */
class FlowingMember {
  readonly flow: RecordFlow;
  readonly consumer: GroupConsumer;
  readonly #committer: OffsetCommitter;
  readonly #backlogs = new Map<number, FetchedBatch>();
  #backlogBytes = 0;

  constructor(options: KafkaSubscriptionOptions) {
    this.flow = new RecordFlow({
      ...options,
      onAdvance: () => this.#committer.schedule(),
      onCapacity: (partition) => {
        const backlog = this.#backlogs.get(partition);
        if (backlog === undefined) this.#updateFetching(partition);
        else this.#offer(backlog);
      },
    });
    this.consumer = new GroupConsumer({
      ...options,
      onAssigned: (partitions) => this.#assign(partitions),
      onRebalancing: () => void this.#committer.commitNow(),
      onBatch: this.#offer,
    });
    this.#committer = new OffsetCommitter({
      uncommitted: () => this.flow.uncommitted(),
      commit: (offsets) => this.consumer.commit(offsets),
      markCommitted: (offsets) => this.flow.markCommitted(offsets),
    });
    this.consumer.failed.catch(async (error) => {
      this.flow.fail(await explainOutOfRange(options.admin, options, error));
    });
    this.consumer.start();
  }

  async stop(drainMs: number): Promise<void> {
    const drained = this.flow.drain(drainMs);
    this.#clearBacklogs();
    for (const partition of this.flow.partitions) this.consumer.setFetching(partition, false);
    await drained; // meanwhile the member heartbeats and stays in the group
    await this.#committer.close();
    await this.consumer.stop();
  }

  #assign(partitions: readonly number[]): void {
    this.#clearBacklogs();
    this.flow.revoke(this.flow.partitions);
    this.flow.assign(partitions);
    for (const partition of partitions) this.#updateFetching(partition);
  }

  /** Offers the records that the flow has not taken yet; the rest is the backlog. */
  readonly #offer = (batch: FetchedBatch): void => {
    const { partition, from, records, next } = batch;
    this.flow.begin(partition, from);
    for (; batch.taken < records.length; batch.taken += 1) {
      const record = records[batch.taken];
      if (record !== undefined && !this.flow.offer(record)) break;
    }
    if (batch.taken < records.length) this.#keep(batch);
    else {
      this.#drop(batch);
      this.flow.advance(partition, next);
    }
    this.#updateFetching(partition);
  };

  #keep(batch: FetchedBatch): void {
    if (this.#backlogs.get(batch.partition) === batch) return;
    this.#backlogs.set(batch.partition, batch);
    this.#countBacklog(bytesOf(batch));
  }

  #drop(batch: FetchedBatch): void {
    if (this.#backlogs.delete(batch.partition)) this.#countBacklog(-bytesOf(batch));
  }

  #clearBacklogs(): void {
    this.#backlogs.clear();
    this.#backlogBytes = 0;
  }

  /** Crossing the bound affects all partitions. */
  #countBacklog(bytes: number): void {
    const wasFull = this.#isFull;
    this.#backlogBytes += bytes;
    if (this.#isFull === wasFull) return;
    for (const partition of this.flow.partitions) this.#updateFetching(partition);
  }

  get #isFull(): boolean {
    return this.#backlogBytes >= backlogBytesMax;
  }

  #updateFetching(partition: number): void {
    this.consumer.setFetching(partition, !this.#isFull && this.flow.isFetchable(partition));
  }
}

function bytesOf({ records }: FetchedBatch): number {
  return records.reduce((sum, { value }) => sum + (value?.byteLength ?? 0), 0);
}

const commitDelayMs = 200;
const afterFailureMs = 1_000;
const flushAttemptsMax = 3;
const flushDeadlineMs = 5_000;

interface OffsetCommitterOptions {
  /** Offsets that may be committed and are not yet. */
  readonly uncommitted: () => readonly PartitionOffset[];
  /** Resolves with whether they were committed; never rejects. */
  readonly commit: (offsets: readonly PartitionOffset[]) => Promise<boolean>;
  readonly markCommitted: (offsets: readonly PartitionOffset[]) => void;
}

/**
 * Delays commits a little, so that there are at most five a second.
 *
 * Idle: nothing to commit. Scheduled: a commit follows within 200 ms. Committing: one is in flight;
 * new offsets are scheduled again, a failed commit after 1 s. Closed: the last commit was
 * attempted.
 */
export class OffsetCommitter {
  readonly #options: OffsetCommitterOptions;
  #timer: ReturnType<typeof setTimeout> | undefined;
  #committing: Promise<boolean> | undefined;
  #closed = false;

  constructor(options: OffsetCommitterOptions) {
    this.#options = options;
  }

  /** To be called when there is something to commit. */
  schedule(afterMs = commitDelayMs): void {
    if (this.#closed || this.#timer !== undefined) return;
    this.#timer = setTimeout(() => {
      this.#timer = undefined;
      void this.commitNow();
    }, afterMs);
  }

  /** Resolves with true when nothing is left to commit. */
  async commitNow(): Promise<boolean> {
    if (this.#committing !== undefined) {
      this.schedule();
      return await this.#committing;
    }
    const offsets = this.#options.uncommitted();
    if (offsets.length === 0) return true;
    this.#committing = this.#options.commit(offsets);
    const isCommitted = await this.#committing;
    this.#committing = undefined;
    if (isCommitted) this.#options.markCommitted(offsets);
    else this.schedule(afterFailureMs);
    return isCommitted;
  }

  /** Commits the rest, with 3 attempts within 5 s. */
  async close(): Promise<void> {
    this.#closed = true;
    clearTimeout(this.#timer);
    const flushed = (async () => {
      await this.#committing;
      for (let attempt = 0; attempt < flushAttemptsMax; attempt += 1) {
        if (await this.commitNow()) return;
      }
    })();
    // What was not committed is delivered again.
    await withDeadline("the last commit", flushDeadlineMs, flushed).catch(() => {});
  }
}

/** Committed offsets that are not on the log. */
interface OutOfRange {
  /** Readable, per partition: the group's offset, and where the log begins or ends. */
  readonly places: readonly string[];
  /** The Kafka command that moves the group to the oldest remaining record. */
  readonly fix: string;
}

interface GroupPlace {
  readonly brokers: readonly string[];
  readonly topic: string;
  readonly group: string;
}

/**
 * Undefined while every committed offset is on the log.
 *
 * Once retention has removed an offset, it is unknown whether it was a record or only a transaction
 * marker. So an offset before the log's beginning is out of range, even if the topic is empty. Our
 * own commits do not get there by markers alone, because they are behind everything that was read.
 * Those of an older release (the last record + 1) and of other tools may; a person then has to
 * decide whether something was skipped.
 */
export async function findOutOfRange(
  admin: TopicAdmin,
  { brokers, topic, group }: GroupPlace,
): Promise<OutOfRange | undefined> {
  const [offsets, committed] = [await admin.offsets(topic), await admin.committed(topic, group)];
  const outside = offsets.flatMap(({ partition, earliest, next }) => {
    const at = committed.get(partition);
    if (at === undefined || (at >= earliest && at <= next)) return [];
    const log = at < earliest ? `begins at ${earliest}` : `ends at ${next}`;
    return [{ partition, place: `partition ${partition}: the group is at ${at}, the log ${log}` }];
  });
  if (outside.length === 0) return undefined;
  const partitions = outside.map(({ partition }) => partition).join(",");
  return {
    places: outside.map(({ place }) => place),
    fix: `kafka-consumer-groups.sh --bootstrap-server ${brokers[0]} --group ${group} --topic ${topic}:${partitions} --reset-offsets --to-earliest --execute`,
  };
}

/**
 * The same error; for an offset out of range, with what an operator needs to decide how to
 * continue.
 */
async function explainOutOfRange(
  admin: TopicAdmin,
  place: GroupPlace,
  error: unknown,
): Promise<unknown> {
  if (!isInstantError(error, eventLogErrors.offsetOutOfRange)) return error;
  try {
    const found = await findOutOfRange(admin, place);
    const { group, topic } = place;
    const reason =
      found === undefined
        ? error.detail
        : `${found.places.join("; ")}. What was removed in between may have been mails, or only the markers of transactions: Kafka cannot tell. To continue with the oldest remaining record, stop every serve-email, then: ${found.fix}`;
    const detail = `${group} on ${topic}, ${reason}`;
    return new InstantError(error.row, { detail, details: error.details, cause: error });
  } catch {
    return error; // Kafka does not answer: without the explanation
  }
}
