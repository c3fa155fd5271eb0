import { InstantError } from "../../../core/errors.ts";
import type { Log } from "../../../core/log.ts";
import { withDeadline } from "../../../core/time.ts";
import type { LogRecord, SubscribeOptions, Subscription, SubscriptionStats } from "../event-log.ts";
import { RecordFlow } from "../flow/record-flow.ts";
import type { TopicAdmin } from "./admin.ts";
import type { KafkaClient } from "./client.ts";
import { kafkaErrors, toEventLogError } from "./errors.ts";
import type { GroupTimings } from "./group-consumer.ts";
import { GroupConsumer } from "./group-consumer.ts";

const everyMs = 200;
const afterFailureMs = 1_000;
const flushAttemptsMax = 3;
const flushDeadlineMs = 5_000;

interface Offset {
  readonly partition: number;
  readonly offset: number;
}

interface OffsetCommitterOptions {
  /** What may be committed and is not. */
  readonly uncommitted: () => readonly Offset[];
  /** Whether they were committed; never rejects. */
  readonly commit: (offsets: readonly Offset[]) => Promise<boolean>;
  readonly markCommitted: (offsets: readonly Offset[]) => void;
}

/**
 * Commits a while after something became committable: so a second of work costs five commits.
 *
 * Idle: nothing is committable. Scheduled: a commit follows within 200 ms. Committing: one is on its
 * way; what comes meanwhile is scheduled again, what failed after 1 s. Closed: the last was tried.
 */
export class OffsetCommitter {
  readonly #options: OffsetCommitterOptions;
  #timer: ReturnType<typeof setTimeout> | undefined;
  #committing: Promise<boolean> | undefined;
  #closed = false;

  constructor(options: OffsetCommitterOptions) {
    this.#options = options;
  }

  /** There is something to commit. */
  schedule(afterMs = everyMs): void {
    if (this.#closed || this.#timer !== undefined) return;
    this.#timer = setTimeout(() => {
      this.#timer = undefined;
      void this.commitNow();
    }, afterMs);
  }

  /** Resolves with whether nothing is left to commit. */
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

  /** Tries to commit the rest: 3 times, within 5 s. */
  async close(): Promise<void> {
    this.#closed = true;
    clearTimeout(this.#timer);
    const flushed = (async () => {
      await this.#committing;
      for (let attempts = 0; attempts < flushAttemptsMax; attempts += 1)
        if (await this.commitNow()) return;
    })();
    // What was not committed is delivered again.
    await withDeadline("the last commit", flushDeadlineMs, flushed).catch(() => {});
  }
}

/** A group's offsets that are not on the log. */
interface OutOfRange {
  /** Each partition in words: where the group is, and where the log begins or ends. */
  readonly places: readonly string[];
  /** Kafka's own command that lets the group go on with the oldest record that is left. */
  readonly fix: string;
}

interface GroupPlace {
  readonly brokers: readonly string[];
  readonly topic: string;
  readonly group: string;
}

/**
 * Undefined while each committed offset is on the log.
 *
 * What retention removed cannot be asked for any more: whether an offset was a record or only the
 * marker of a transaction is nowhere but in the log. So an offset before the log's beginning is out
 * of range, also for a topic without a record. Our own commits do not get there by markers alone, as
 * they are behind all that was read. Those of an older release (the last record + 1) and of other
 * tools may; whether something was skipped is then for a person to judge.
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
 * The same error; an offset out of range with what a person needs to decide: which partition, where
 * the group is, where the log begins or ends, and the command that goes on from there.
 */
async function explainOutOfRange(
  admin: TopicAdmin,
  place: GroupPlace,
  error: unknown,
): Promise<unknown> {
  if (!(error instanceof InstantError) || error.row !== kafkaErrors.offsetOutOfRange) return error;
  try {
    const found = await findOutOfRange(admin, place);
    const { group, topic } = place;
    const reason =
      found === undefined
        ? error.detail
        : `${found.places.join("; ")}. What was removed in between may have been mails, or only the markers of transactions: Kafka cannot tell. To go on with the oldest record that is left, stop every serve-email, then: ${found.fix}`;
    const detail = `${group} on ${topic}, ${reason}`;
    return new InstantError(error.row, { detail, details: error.details, cause: error });
  } catch {
    return error; // Kafka does not say; the error stands without it
  }
}

interface KafkaSubscriptionOptions extends SubscribeOptions {
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
      onCapacity: (partition) => this.#offerBacklog(partition),
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
    return { inFlight, unfinished, deferred, paused, partitions, problem: trouble };
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
