// Time: the clock, deadlines, backoff, and durations in Go's notation.
import { coreErrors, InstantError } from "./errors.ts";

/** Time as a dependency, so that tests control it. Unix milliseconds throughout. */
export interface Clock {
  now(): number;
  /** Resolves after `durationMs`, or at once when `signal` is aborted; never rejects. */
  sleep(durationMs: number, signal?: AbortSignal): Promise<void>;
}

export const systemClock: Clock = {
  now: () => Date.now(),
  sleep: (durationMs, signal) =>
    new Promise((resolve) => {
      if (signal?.aborted) {
        resolve();
        return;
      }
      const finish = () => {
        clearTimeout(timer);
        signal?.removeEventListener("abort", finish);
        resolve();
      };
      const timer = setTimeout(finish, durationMs);
      signal?.addEventListener("abort", finish, { once: true });
    }),
};

/**
 * Settles like `work`, or rejects with `deadline_exceeded` after `durationMs`; `name` describes the
 * work in the error. The work itself continues: the caller must release what it acquires.
 */
export function withDeadline<T>(name: string, durationMs: number, work: Promise<T>): Promise<T> {
  return new Promise((resolve, reject) => {
    const timer = setTimeout(() => {
      const detail = `${name} after ${durationMs} ms`;
      reject(new InstantError(coreErrors.deadlineExceeded, { detail }));
    }, durationMs);
    work.then(
      (value) => {
        clearTimeout(timer);
        resolve(value);
      },
      (error: unknown) => {
        clearTimeout(timer);
        reject(error);
      },
    );
  });
}

/** Waits until `work` has settled, at most `durationMs`; whether it has. The work itself continues. */
export async function settlesWithin(
  clock: Pick<Clock, "sleep">,
  durationMs: number,
  work: Promise<unknown>,
): Promise<boolean> {
  const settled = new AbortController();
  const settle = () => settled.abort();
  work.then(settle, settle);
  await clock.sleep(Math.max(0, durationMs), settled.signal);
  return settled.signal.aborted;
}

const unitMs: Readonly<Record<string, number>> = {
  ns: 1e-6,
  us: 1e-3,
  µs: 1e-3,
  μs: 1e-3,
  ms: 1,
  s: 1000,
  m: 60_000,
  h: 3_600_000,
};

const part = /(\d+(?:\.\d*)?|\.\d+)(ns|us|µs|μs|ms|s|m|h)/gy;

/**
 * Milliseconds of a duration in Go's notation ("300ms", "1.5h", "1h30m", "0"), which settings and the
 * event's `expires_in` use. Undefined when invalid or negative. Source: Go's `time.ParseDuration`.
 */
export function parseGoDuration(text: string): number | undefined {
  const [, count, unit] = /^(\d{1,9})([hms])$/.exec(text) ?? []; // most are like this
  if (count !== undefined && unit !== undefined) return Number(count) * (unitMs[unit] ?? 0);
  if (/^[+-]?0$/.test(text)) return 0;
  if (text.length > 64) return undefined;
  const start = text.startsWith("+") ? 1 : 0;
  part.lastIndex = start;
  let total = 0;
  let end = 0;
  for (let match = part.exec(text); match !== null; match = part.exec(text)) {
    total += Number(match[1]) * (unitMs[match[2] ?? ""] ?? Number.NaN);
    end = part.lastIndex;
  }
  return end === text.length && end > start && Number.isFinite(total) ? total : undefined;
}

/** The shortest exact notation in whole hours, minutes, seconds or milliseconds. */
export function formatGoDuration(durationMs: number): string {
  for (const unit of ["h", "m", "s"] as const) {
    const size = unitMs[unit] ?? 1;
    if (durationMs >= size && durationMs % size === 0) return `${durationMs / size}${unit}`;
  }
  return durationMs === 0 ? "0" : `${Math.round(durationMs)}ms`;
}

interface Backoff {
  /** The delay after the first attempt; it doubles with each further one. */
  readonly delayMsMin: number;
  readonly delayMsMax: number;
  /** Jitter as a fraction of the delay: 0.2 is up to 20 % less or more. */
  readonly jitter?: number;
}

/**
 * The delay after the `attempt`-th failed attempt (from 1): 1, 2, 4, 5, 5 … s for 1 s and 5 s.
 * `random` is 0 ≤ random < 1.
 */
export function backoffMs(
  attempt: number,
  { delayMsMin, delayMsMax, jitter = 0 }: Backoff,
  random: number = Math.random(),
): number {
  const delayMs = Math.min(delayMsMin * 2 ** Math.max(attempt - 1, 0), delayMsMax);
  return Math.round(delayMs * (1 - jitter + 2 * jitter * random));
}
