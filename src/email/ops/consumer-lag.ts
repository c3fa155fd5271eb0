import { errorMessage, isInstantError } from "../../core/errors.ts";
import type { Clock } from "../../core/time.ts";
import { withDeadline } from "../../core/time.ts";
import type { EventLog, PartitionLag } from "../event-log/event-log.ts";

interface PartitionState extends PartitionLag {
  /** The group member that reads it, for people; undefined: none. */
  readonly owner: string | undefined;
}

export interface LagState {
  readonly partitions: readonly PartitionState[];
  /** Why the event log did not answer; `partitions` are then the last known ones. */
  readonly problem: string | undefined;
}

interface ConsumerLagOptions {
  readonly eventLog: Pick<EventLog, "lag" | "owners">;
  readonly topic: string;
  readonly group: string;
  readonly clock: Pick<Clock, "now">;
}

const refreshEveryMs = 2000;
const deadlineMs = 2000;

/**
 * The lag of the group and who reads what, for the dashboard, the notices of `/readyz` and the
 * metrics of a process. Asks the event log every 2 s at most, once for all readers, and only when
 * one of them wants to know.
 */
export class ConsumerLag {
  readonly #options: ConsumerLagOptions;
  #latest: LagState = { partitions: [], problem: undefined };
  #refreshing: Promise<void> | undefined;
  #refreshedAt = Number.NEGATIVE_INFINITY;

  constructor(options: ConsumerLagOptions) {
    this.#options = options;
  }

  /** At most 2 s old; waits 2 s at most for the event log. Never rejects. */
  async read(): Promise<LagState> {
    this.latest();
    await this.#refreshing;
    return this.#latest;
  }

  /** The last answer, without waiting; an old one is refreshed for the next call. */
  latest(): LagState {
    const now = this.#options.clock.now();
    if (this.#refreshing === undefined && now - this.#refreshedAt >= refreshEveryMs) {
      this.#refreshedAt = now;
      this.#refreshing = this.#refresh().finally(() => {
        this.#refreshing = undefined;
      });
    }
    return this.#latest;
  }

  async #refresh(): Promise<void> {
    const { eventLog, topic, group } = this.#options;
    const both = Promise.all([eventLog.lag(topic, group), eventLog.owners(topic, group)]);
    try {
      const [lag, owners] = await withDeadline("asking the lag", deadlineMs, both);
      const partitions = lag.map((each) => ({ ...each, owner: owners.get(each.partition) }));
      this.#latest = { partitions, problem: undefined };
    } catch (error) {
      if (!isInstantError(error)) throw error;
      this.#latest = { ...this.#latest, problem: errorMessage(error) };
    }
  }
}

/** Kafka aborts a transaction whose producer is gone after a minute, unless that asked for more. */
const openTransactionSecondsMax = 60;

/** For each transaction that has been open for over a minute: what it keeps from being read. */
export function describeOpenTransactions({ partitions }: LagState): readonly string[] {
  return partitions.flatMap(({ partition, openTransaction }) => {
    if (openTransaction === undefined) return [];
    const { offset, records, seconds } = openTransaction;
    if (seconds <= openTransactionSecondsMax) return [];
    const minutes = `${Math.floor(seconds / 60)} min`;
    const events = `${records} ${records === 1 ? "event" : "events"}`;
    return [
      `Kafka: a producer's transaction has been open for ${minutes} at offset ${offset} of partition ${partition}: up to ${events} behind it cannot be read yet. instant doctor names the command that ends it`,
    ];
  });
}
