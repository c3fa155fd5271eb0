import { errorMessage, isInstantError } from "../../core/errors.ts";
import type { Clock } from "../../core/time.ts";
import { withDeadline } from "../../core/time.ts";
import type { EventLog, PartitionLag } from "./event-log.ts";

export interface LagState {
  readonly partitions: readonly PartitionLag[];
  /** Why the lag could not be read; `partitions` is then as last known. */
  readonly problem: string | undefined;
}

interface LagReaderOptions {
  readonly eventLog: Pick<EventLog, "lag">;
  readonly topic: string;
  readonly group: string;
  readonly clock: Pick<Clock, "now">;
}

const staleAfterMs = 2_000;
const deadlineMs = 2_000;

/**
 * The group's lag, shared by the metrics, the pages and the notices of `/readyz`. Reads only on
 * demand, one call at a time, within 2 s.
 */
export class LagReader {
  readonly #options: LagReaderOptions;
  #known: LagState = { partitions: [], problem: undefined };
  #reading: Promise<LagState> | undefined;
  #askedAt = Number.NEGATIVE_INFINITY;

  constructor(options: LagReaderOptions) {
    this.#options = options;
  }

  /** The current lag; joins a read in flight. */
  read(): Promise<LagState> {
    this.#askedAt = this.#options.clock.now();
    this.#reading ??= this.#ask().finally(() => {
      this.#reading = undefined;
    });
    return this.#reading;
  }

  /** As last known, at once; when that is over 2 s old, it is read again in the background. */
  known(): LagState {
    if (this.#options.clock.now() - this.#askedAt >= staleAfterMs) void this.read();
    return this.#known;
  }

  /** As last known; waits only when nothing is known yet. */
  async state(): Promise<LagState> {
    const known = this.known();
    return known.partitions.length === 0 && this.#reading !== undefined ? this.#reading : known;
  }

  async #ask(): Promise<LagState> {
    const { eventLog, topic, group } = this.#options;
    try {
      const partitions = await withDeadline(
        "reading the lag",
        deadlineMs,
        eventLog.lag(topic, group),
      );
      this.#known = { partitions, problem: undefined };
    } catch (error) {
      if (!isInstantError(error)) throw error;
      this.#known = { ...this.#known, problem: errorMessage(error) };
    }
    return this.#known;
  }
}
