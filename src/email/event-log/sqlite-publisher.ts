import type { Clock } from "../../core/clock.ts";
import { withDeadline } from "../../core/deadline.ts";
import { InstantError } from "../../core/errors.ts";
import type { SqliteDatabase } from "../../core/sqlite/database.ts";
import { eventLogErrors } from "./error-codes.ts";
import type { OutgoingRecord, RecordPosition } from "./event-log.ts";
import { toEventLogError } from "./sqlite-errors.ts";
import { appendRecords, RoundRobin } from "./sqlite-records.ts";

const recordsPerJob = 100;

export interface SqlitePublisherOptions {
  readonly database: SqliteDatabase;
  readonly clock: Clock;
  /** Something was written. */
  readonly onWritten: () => void;
}

/**
 * Appends records: in the order of the calls, on disk when it resolves. Calls that wait at the same
 * time share a transaction. What is still queued at its deadline is not written any more.
 */
export class SqlitePublisher {
  readonly #options: SqlitePublisherOptions;
  readonly #keyless = new RoundRobin();
  readonly #waiting = new Set<Promise<unknown>>();
  #isClosed = false;

  constructor(options: SqlitePublisherOptions) {
    this.#options = options;
  }

  async publish(
    topic: string,
    records: readonly OutgoingRecord[],
    deadlineMs: number,
  ): Promise<readonly RecordPosition[]> {
    if (this.#isClosed) throw unavailable("it was closed");
    const call = { isLate: false };
    const writing = Promise.all(this.#write(topic, records, call));
    const publishing = withDeadline("a publish", deadlineMs, writing);
    this.#waiting.add(publishing);
    try {
      return (await publishing).flat();
    } catch (error) {
      call.isLate = true;
      throw toEventLogError(error);
    } finally {
      this.#waiting.delete(publishing);
      this.#options.onWritten();
    }
  }

  /** Waits for what was asked before. */
  async close(): Promise<void> {
    this.#isClosed = true;
    await Promise.allSettled(this.#waiting);
  }

  /** All jobs are queued at once, so that no later call gets between them. */
  #write(
    topic: string,
    records: readonly OutgoingRecord[],
    call: { readonly isLate: boolean },
  ): readonly Promise<readonly RecordPosition[]>[] {
    const { database, clock } = this.#options;
    const jobs: Promise<readonly RecordPosition[]>[] = [];
    for (let from = 0; from < records.length; from += recordsPerJob) {
      const part = records.slice(from, from + recordsPerJob);
      const job = database.write((file) => {
        if (call.isLate) throw unavailable("the deadline passed before it was written");
        const timestamp = clock.now();
        return appendRecords(file, topic, part, { keyless: this.#keyless, timestamp });
      });
      jobs.push(job);
    }
    return jobs;
  }
}

function unavailable(detail: string): InstantError {
  return new InstantError(eventLogErrors.logUnavailable, { detail });
}
