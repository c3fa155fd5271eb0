import type { Clock } from "../clock.ts";

/**
 * At most `perSecond` turns a second, evenly spaced and given in the order they were asked for: a
 * burst never has more than one turn at once. The rate may change at any time (`undefined`: no
 * limit); whoever waits then waits by the new one. A turn that was given up while it waited in the
 * queue costs nothing.
 */
export class Pace {
  readonly #clock: Clock;
  #nextAt = 0;
  #waiting = 0;
  #tail: Promise<unknown> = Promise.resolve();
  perSecond: number | undefined;

  constructor(perSecond: number | undefined, clock: Clock) {
    this.#clock = clock;
    this.perSecond = perSecond;
  }

  /** Resolves when it is this caller's turn; false: the signal was aborted before. */
  async take(signal?: AbortSignal): Promise<boolean> {
    if (signal?.aborted === true) return false;
    if (this.#waiting === 0) {
      if (this.perSecond === undefined) return true;
      this.#nextAt = Math.max(this.#nextAt, this.#clock.now());
    }
    this.#waiting += 1;
    const turn = this.#tail.then(() => this.#turn(signal));
    this.#tail = turn.finally(() => {
      this.#waiting -= 1;
    });
    if (signal === undefined) return turn;
    const aborted = Promise.withResolvers<boolean>();
    const onAbort = () => aborted.resolve(false);
    signal.addEventListener("abort", onAbort, { once: true });
    try {
      return await Promise.race([turn, aborted.promise]);
    } finally {
      signal.removeEventListener("abort", onAbort);
    }
  }

  async #turn(signal?: AbortSignal): Promise<boolean> {
    const isAborted = () => signal?.aborted === true;
    if (isAborted()) return false;
    if (this.perSecond === undefined) return true;
    const now = this.#clock.now();
    if (this.#nextAt > now) await this.#clock.sleep(this.#nextAt - now, signal);
    if (isAborted()) return false;
    this.#nextAt += 1000 / (this.perSecond ?? Number.POSITIVE_INFINITY);
    return true;
  }
}
