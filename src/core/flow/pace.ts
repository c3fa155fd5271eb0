import type { Clock } from "../clock.ts";

/**
 * At most `perSecondMax` turns a second, evenly spaced and given in the order they were asked for:
 * a burst never has more than one turn at once. A turn that was given up counts as taken.
 */
export class Pace {
  readonly #clock: Clock;
  readonly #spacingMs: number;
  #nextAt = 0;

  constructor(perSecondMax: number, clock: Clock) {
    this.#clock = clock;
    this.#spacingMs = 1000 / perSecondMax;
  }

  /** Resolves when it is this caller's turn; false: the signal was aborted before. */
  async take(signal?: AbortSignal): Promise<boolean> {
    const now = this.#clock.now();
    const turnAt = Math.max(now, this.#nextAt);
    this.#nextAt = turnAt + this.#spacingMs;
    if (turnAt > now) await this.#clock.sleep(turnAt - now, signal);
    return signal?.aborted !== true;
  }
}
