import type { Database } from "bun:sqlite";
import { systemClock } from "../clock.ts";
import { coreErrors } from "../error-codes.ts";
import { errorMessage, InstantError } from "../errors.ts";
import { classifySqliteError, isBusy } from "./errors.ts";

const jobsPerTransactionMax = 500;

interface Job {
  readonly run: (database: Database) => unknown;
  readonly settle: (result: JobResult) => void;
}

type JobResult = { ok: true; value: unknown } | { ok: false; error: unknown };

/**
 * Group commit: jobs that wait together share one immediate transaction and one fsync.
 *
 * Idle: nothing waits. Scheduled: a job came; a flush runs in this turn of the event loop.
 * Flushing: up to 500 jobs are in the transaction; later jobs wait for the next one. When one of
 * them throws, all are undone and run again, each in a savepoint of its own. A locked file
 * sends the whole group back to wait some milliseconds, up to the busy deadline, then all of its
 * jobs reject with `sqlite_busy`. Closed: the queue is drained, pushes reject.
 */
export class WriteQueue {
  readonly #database: Database;
  readonly #busyDeadlineMs: number;
  #waiting: Job[] = [];
  #flushing: Promise<void> | undefined;
  #closed = false;

  constructor(database: Database, options: { readonly busyDeadlineMs: number }) {
    this.#database = database;
    this.#busyDeadlineMs = options.busyDeadlineMs;
  }

  push<T>(run: (database: Database) => T): Promise<T> {
    return new Promise<T>((resolve, reject) => {
      if (this.#closed) {
        reject(new InstantError(coreErrors.sqliteFailed, { detail: "the file was closed" }));
        return;
      }
      this.#waiting.push({
        run,
        settle: (result) => {
          if (result.ok) resolve(result.value as T);
          else reject(result.error);
        },
      });
      this.#flushing ??= this.#flush();
    });
  }

  async close(): Promise<void> {
    this.#closed = true;
    await this.#flushing;
  }

  async #flush(): Promise<void> {
    await Promise.resolve(); // let the callers of this turn join
    while (this.#waiting.length > 0) {
      const group = this.#waiting.splice(0, jobsPerTransactionMax);
      const results = await this.#commitGroup(group);
      group.forEach((job, index) => {
        job.settle(results[index] ?? { ok: false, error: new Error("a write job has no result") });
      });
      await new Promise((resolve) => setImmediate(resolve));
    }
    this.#flushing = undefined;
  }

  async #commitGroup(group: readonly Job[]): Promise<JobResult[]> {
    const givenUpAt = Date.now() + this.#busyDeadlineMs;
    for (;;) {
      try {
        return this.#runGroup(group);
      } catch (error) {
        const failure = classify(error, Date.now() > givenUpAt);
        if (failure !== undefined) return group.map(() => ({ ok: false, error: failure }));
        await systemClock.sleep(5 + Math.random() * 20);
      }
    }
  }

  /** Savepoints cost as much as a small job: only a group with a job that throws has them. */
  #runGroup(group: readonly Job[]): JobResult[] {
    try {
      return this.#runTransaction(() =>
        group.map((job) => ({ ok: true, value: job.run(this.#database) })),
      );
    } catch (error) {
      if (isBusy(error)) throw error;
      return this.#runTransaction(() => group.map((job) => this.#runAlone(job)));
    }
  }

  #runTransaction(work: () => JobResult[]): JobResult[] {
    this.#database.run("BEGIN IMMEDIATE");
    try {
      const results = work();
      this.#database.run("COMMIT");
      return results;
    } catch (error) {
      if (this.#database.inTransaction) this.#database.run("ROLLBACK");
      throw error;
    }
  }

  #runAlone(job: Job): JobResult {
    this.#database.run("SAVEPOINT job");
    try {
      const value = job.run(this.#database);
      this.#database.run("RELEASE job");
      return { ok: true, value };
    } catch (error) {
      if (isBusy(error)) throw error;
      this.#database.run("ROLLBACK TO job");
      this.#database.run("RELEASE job");
      return { ok: false, error: classifySqliteError(error) };
    }
  }
}

/** Undefined: wait and run the group again. */
function classify(error: unknown, late: boolean): InstantError | undefined {
  if (isBusy(error)) {
    return late ? new InstantError(coreErrors.sqliteBusy, { cause: error }) : undefined;
  }
  return new InstantError(coreErrors.sqliteFailed, { detail: errorMessage(error), cause: error });
}
