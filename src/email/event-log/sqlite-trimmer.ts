import type { Clock } from "../../core/clock.ts";
import { errorMessage } from "../../core/errors.ts";
import type { Log } from "../../core/log.ts";
import type { SqliteDatabase } from "../../core/sqlite/database.ts";
import { trimStep } from "./sqlite-trim.ts";

export interface SqliteTrimmerOptions {
  readonly database: SqliteDatabase;
  readonly clock: Clock;
  readonly log: Log;
  readonly everyMs: number;
}

/** Trims the log every `everyMs`, in small steps, until it is closed. */
export class SqliteTrimmer {
  readonly #options: SqliteTrimmerOptions;
  readonly #closed = new AbortController();
  readonly #running: Promise<void>;

  constructor(options: SqliteTrimmerOptions) {
    this.#options = options;
    this.#running = this.#run();
  }

  async close(): Promise<void> {
    this.#closed.abort();
    await this.#running;
  }

  async #run(): Promise<void> {
    const { clock, everyMs, log } = this.#options;
    const { signal } = this.#closed;
    for (;;) {
      await clock.sleep(everyMs, signal);
      if (signal.aborted) return;
      try {
        await this.#trim();
      } catch (error) {
        log.warn(
          { error: errorMessage(error) },
          "Could not trim the event log, trying again later",
        );
      }
    }
  }

  async #trim(): Promise<void> {
    const { database, clock } = this.#options;
    let hasMore = true;
    while (hasMore && !this.#closed.signal.aborted) {
      hasMore = await database.write((file) => trimStep(file, clock.now()));
    }
  }
}
