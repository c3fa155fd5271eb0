import type { SqliteDatabase } from "../../core/sqlite/database.ts";
import { isBusy } from "../../core/sqlite/errors.ts";

/** `mayHaveNews`: something was written since the last call, here or by another process. */
export type WakeupListener = (mayHaveNews: boolean) => void;

/**
 * Tells listeners about writes to the file: those of this process at once, those of others within
 * `pollMs` (`PRAGMA data_version`, some microseconds a poll). Calls them with every poll, so that
 * they need no timers of their own. Idle without listeners: no timer runs.
 */
export class SqliteWakeups {
  readonly #database: SqliteDatabase;
  readonly #pollMs: number;
  readonly #listeners = new Set<WakeupListener>();
  #timer: ReturnType<typeof setInterval> | undefined;
  #version = -1;
  #isNotifying = false;

  constructor(database: SqliteDatabase, options: { readonly pollMs: number }) {
    this.#database = database;
    this.#pollMs = options.pollMs;
  }

  listen(listener: WakeupListener): Disposable {
    this.#listeners.add(listener);
    this.#timer ??= setInterval(() => this.#poll(), this.#pollMs);
    return { [Symbol.dispose]: () => this.#remove(listener) };
  }

  /** This process wrote. Many calls in one turn of the event loop are one. */
  notify(): void {
    if (this.#isNotifying) return;
    this.#isNotifying = true;
    setImmediate(() => {
      this.#isNotifying = false;
      this.#tell(true);
    });
  }

  #poll(): void {
    const version = this.#readVersion();
    const isNew = version !== this.#version;
    this.#version = version;
    this.#tell(isNew);
  }

  /** Changes when another connection has committed; a file that is locked just now says nothing. */
  #readVersion(): number {
    try {
      const row = this.#database.read((file) =>
        file.query<{ data_version: number }, []>("PRAGMA data_version").get(),
      );
      return row?.data_version ?? this.#version;
    } catch (error) {
      if (isBusy(error)) return this.#version;
      throw error;
    }
  }

  #tell(mayHaveNews: boolean): void {
    for (const listener of [...this.#listeners]) listener(mayHaveNews);
  }

  #remove(listener: WakeupListener): void {
    this.#listeners.delete(listener);
    if (this.#listeners.size > 0) return;
    clearInterval(this.#timer);
    this.#timer = undefined;
  }
}
