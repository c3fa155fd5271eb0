import { runInTraceContext } from "../../core/log.ts";
import type { Clock } from "../../core/time.ts";
import { backoffMs } from "../../core/time.ts";

interface BreakerOptions {
  readonly clock: Clock;
  /** Resolves undefined when the other side is back, else with the reason why not. Must not throw. */
  readonly probe: (signal: AbortSignal) => Promise<string | undefined>;
  /**
   * The wait before the first probe; it doubles up to `probeDelayMsMax`. A breaker that opens again
   * within the longest wait after it closed goes on doubling: a probe may work where the work fails.
   */
  readonly probeDelayMsMin: number;
  readonly probeDelayMsMax: number;
  readonly onChange: (state: BreakerState) => void;
}

export type BreakerState =
  | { readonly kind: "closed" }
  /** `since` in Unix ms; `reason` is the newest one. */
  | { readonly kind: "open"; readonly reason: string; readonly since: number };

/** Timers take at most 2^31 - 1 ms; after an hour the caller checks again. */
const waitMsMax = 3_600_000;

/**
 * Remembers that something all work depends on is unavailable, and probes until it is back.
 *
 * Closed: work goes on. Open: it was tripped; probes follow after `probeDelayMsMin`, twice that, … up
 * to `probeDelayMsMax`, for ever, and the first that succeeds closes it and releases all waiters.
 * Stopped: no probe runs, waiters are released at once.
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
    // The probes are no part of the trace that happened to trip it.
    void runInTraceContext(undefined, () => this.#probeUntilClosed());
  }

  /** Resolves when closed, stopped, `untilMs` (Unix ms) has come, or `signal` aborts. */
  async untilClosed(options: { untilMs?: number; signal?: AbortSignal } = {}): Promise<void> {
    if (this.#closed === undefined) return;
    const { untilMs = Number.POSITIVE_INFINITY, signal } = options;
    const { clock } = this.#options;
    const done = new AbortController();
    const end = signal === undefined ? done.signal : AbortSignal.any([done.signal, signal]);
    const waitMs = Math.min(Math.max(untilMs - clock.now(), 0), waitMsMax);
    await Promise.race([this.#closed.promise, clock.sleep(waitMs, end)]);
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
