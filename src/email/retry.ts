/**
 * When a deferred mail is tried again: after 1, 2, 4, 8 … s (± 20 %), growing to 5 min, as mail
 * servers do for each other, until `untilMs`; then it is given up. A first try late in its time (a
 * backlog, an outage) still has three more, after 1, 2 and 4 s. With the default of 4 h that is
 * about 55 tries. A delay that the server asked for is honoured up to 60 s.
 */
export interface RetryInput {
  /** Tries made, this one included; at least 1. */
  readonly attempts: number;
  /** Unix ms; see `retryUntil`. */
  readonly untilMs: number;
  readonly retryAfterMs: number | undefined;
  readonly now: number;
  /** 0 ≤ random < 1. */
  readonly random: number;
}

export type RetryDecision =
  | { readonly kind: "retry"; readonly waitMs: number }
  | { readonly kind: "give_up" };

const firstDelayMs = 1000;
const delayMsMax = 300_000;
const requestedDelayMsMax = 60_000;
const extraTries = 3;
const jitter = 0.2;

export function decideRetry(input: RetryInput): RetryDecision {
  const { attempts, untilMs, now } = input;
  const growing = Math.min(firstDelayMs * 2 ** (attempts - 1), delayMsMax);
  const requested = Math.min(input.retryAfterMs ?? 0, requestedDelayMsMax);
  const spread = growing * (1 - jitter + 2 * jitter * input.random);
  const waitMs = Math.round(Math.max(spread, requested));
  if (attempts <= extraTries) return { kind: "retry", waitMs };
  if (now >= untilMs) return { kind: "give_up" };
  return { kind: "retry", waitMs: Math.min(waitMs, untilMs - now) }; // the last try is at its end
}

/** Until when a mail that is deferred is tried: for `retryForMs`, and not beyond its expiry. */
export function retryUntil(
  event: { readonly expiresAt: number | undefined },
  since: number,
  retryForMs: number,
): number {
  return Math.min(since + retryForMs, event.expiresAt ?? Number.POSITIVE_INFINITY);
}
