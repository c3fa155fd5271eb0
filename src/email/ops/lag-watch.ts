import type { Clock } from "../../core/clock.ts";
import { withDeadline } from "../../core/deadline.ts";
import { errorMessage, isInstantError } from "../../core/errors.ts";
import type { EventLog, PartitionLag } from "../event-log/event-log.ts";

export interface PartitionState extends PartitionLag {
  /** The member that reads it, for people; undefined: nobody. */
  readonly owner: string | undefined;
}

export interface LagState {
  readonly partitions: readonly PartitionState[];
  /** Why the event log could not be asked. */
  readonly problem: string | undefined;
}

export interface LagWatchOptions {
  readonly eventLog: Pick<EventLog, "lag" | "owners">;
  readonly topic: string;
  readonly group: string;
  readonly clock: Pick<Clock, "now">;
}

const askEveryMs = 2000;
const deadlineMs = 2000;

/** Kafka ends a transaction whose producer is gone after a minute, unless that asked for more. */
const openTransactionSecondsMax = 60;

/** Asks the event log for lag and owners, at most every 2 s and only when somebody wants to know. */
export class LagWatch {
  readonly #options: LagWatchOptions;
  #known: LagState = { partitions: [], problem: undefined };
  #asking: Promise<void> | undefined;
  #askedAt = Number.NEGATIVE_INFINITY;

  constructor(options: LagWatchOptions) {
    this.#options = options;
  }

  /** As it was 2 s ago at most, or as it was before when it takes longer to tell. */
  async state(): Promise<LagState> {
    const known = this.known();
    if (known.partitions.length === 0) await this.#asking;
    return this.#known;
  }

  /** As it was when it was last asked, at once; it is asked anew meanwhile. */
  known(): LagState {
    const now = this.#options.clock.now();
    if (this.#asking === undefined && now - this.#askedAt >= askEveryMs) {
      this.#askedAt = now;
      this.#asking = this.#ask().finally(() => {
        this.#asking = undefined;
      });
    }
    return this.#known;
  }

  async #ask(): Promise<void> {
    const { eventLog, topic, group } = this.#options;
    const both = Promise.all([eventLog.lag(topic, group), eventLog.owners(topic, group)]);
    both.catch(() => {}); // after the deadline nobody listens
    try {
      const [lag, owners] = await withDeadline("asking the lag", deadlineMs, both);
      const partitions = lag.map((each) => ({ ...each, owner: owners.get(each.partition) }));
      this.#known = { partitions, problem: undefined };
    } catch (error) {
      if (!isInstantError(error)) throw error;
      this.#known = { ...this.#known, problem: errorMessage(error) };
    }
  }
}

/** Of each transaction that has been open for over a minute: what cannot be read because of it. */
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
