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
