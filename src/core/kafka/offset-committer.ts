import { withDeadline } from "../deadline.ts";

const everyMs = 200;
const afterFailureMs = 1_000;
const flushTriesMax = 3;
const flushDeadlineMs = 5_000;

interface Offset {
  readonly partition: number;
  readonly offset: number;
}

export interface OffsetCommitterOptions {
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
      for (let tries = 0; tries < flushTriesMax; tries += 1) if (await this.commitNow()) return;
    })();
    // What was not committed is delivered again.
    await withDeadline("the last commit", flushDeadlineMs, flushed).catch(() => {});
  }
}
