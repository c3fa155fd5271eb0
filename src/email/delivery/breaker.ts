import { backoffMs } from "../../core/backoff.ts";
import type { Clock } from "../../core/time.ts";
import { runInTraceContext } from "../../core/trace-context.ts";

interface BreakerOptions {
  readonly clock: Clock;
  /** Asks whether the other side is back: undefined when it is, else why not. Must not throw. */
  readonly probe: (signal: AbortSignal) => Promise<string | undefined>;
  /**
   * Waits between probes: the first, doubled each time, up to the last. One that opens again soon
   * (within the last wait) after it closed goes on doubling: what the probe asks may work while
   * what the work needs does not.
   */
  readonly probeDelayMsMin: number;
  readonly probeDelayMsMax: number;
  readonly onChange: (state: BreakerState) => void;
}

export type BreakerState =
  | { readonly kind: "closed" }
  /** `since` in Unix ms; `reason` is the newest one. */
  | { readonly kind: "open"; readonly reason: string; readonly since: number };

/**
 * Remembers that something all work depends on is away, and asks until it is back.
 *
 * Closed: work goes on. Open: somebody tripped it; probes run after `probeDelayMsMin`, twice that,
 * … up to `probeDelayMsMax`, for ever; those who wait in `untilClosed` go on after the first probe
 * that succeeds. Stopped: no probe runs, waiters go on at once and see what they see.
 */
export class Breaker {
  readonly #options: BreakerOptions;
  readonly #stopped = new AbortController();
  #state: BreakerState = { kind: "closed" };
  #closed: PromiseWithResolvers<void> | undefined;
  #probes = 0;
  #closedAt = Number.NEGATIVE_INFINITY;

  constructor(options: BreakerOptions) {
    this.#options = options;
  }

  get state(): BreakerState {
    return this.#state;
  }

  /** Opens, or renews the reason of an open one. */
  trip(reason: string): void {
    if (this.#stopped.signal.aborted) return;
    const { clock, onChange, probeDelayMsMax } = this.#options;
    if (this.#state.kind === "open") {
      this.#state = { ...this.#state, reason };
      return;
    }
    this.#state = { kind: "open", reason, since: clock.now() };
    this.#closed = Promise.withResolvers();
    if (clock.now() - this.#closedAt > probeDelayMsMax) this.#probes = 0;
    onChange(this.#state);
    void runInTraceContext(undefined, () => this.#probeUntilClosed()); // it is not the tripper's doing
  }

  /** Resolves when closed, stopped, `untilMs` (Unix ms) has come, or `signal` aborts. */
  async untilClosed(options: { untilMs?: number; signal?: AbortSignal } = {}): Promise<void> {
    if (this.#closed === undefined) return;
    const waits: Promise<void>[] = [this.#closed.promise];
    const done = new AbortController();
    const { untilMs, signal } = options;
    const end = signal === undefined ? done.signal : AbortSignal.any([done.signal, signal]);
    // Timers hold at most 2^31 - 1 ms; an hour is enough, the caller looks again.
    const waitMs = untilMs === undefined ? 3_600_000 : untilMs - this.#options.clock.now();
    waits.push(this.#options.clock.sleep(Math.min(Math.max(waitMs, 0), 3_600_000), end));
    await Promise.race(waits);
    done.abort();
  }

  stop(): void {
    this.#stopped.abort();
    this.#closed?.resolve();
  }

  async #probeUntilClosed(): Promise<void> {
    const { clock, probe, onChange } = this.#options;
    const backoff = {
      delayMsMin: this.#options.probeDelayMsMin,
      delayMsMax: this.#options.probeDelayMsMax,
    };
    const { signal } = this.#stopped;
    for (;;) {
      await clock.sleep(backoffMs(this.#probes + 1, backoff), signal);
      if (signal.aborted) return;
      this.#probes += 1;
      const reason = await probe(signal);
      if (signal.aborted) return;
      if (reason === undefined) break;
      this.trip(reason);
    }
    this.#state = { kind: "closed" };
    this.#closedAt = clock.now();
    onChange(this.#state);
    this.#closed?.resolve();
    this.#closed = undefined;
  }
}
