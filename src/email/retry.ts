import type { EmailEvent } from "./event.ts";

/**
 * When a deferred mail is tried again. Three more tries after 1, 2 and 4 s (± 20 %), so given up
 * after about 7 s; a code keeps trying after 8, 16, 32, 60, 60 … s until it expires (greylisting
 * asks for minutes). A delay that the server asked for is honoured up to 60 s.
 */
export interface RetryInput {
  readonly event: EmailEvent;
  /** Tries spent, this one included; at least 1. */
  readonly attempts: number;
  readonly retryAfterMs: number | undefined;
  readonly now: number;
  /** 0 ≤ random < 1. */
  readonly random: number;
}

export type RetryDecision =
  | { readonly kind: "retry"; readonly waitMs: number }
  | { readonly kind: "give_up" };

const firstDelayMs = 1000;
const delayMsMax = 60_000;
export const extraTries = 3;
const jitter = 0.2;

export function decideRetry(input: RetryInput): RetryDecision {
  const { event, attempts, now } = input;
  const growing = Math.min(firstDelayMs * 2 ** (attempts - 1), delayMsMax);
  const asked = Math.min(input.retryAfterMs ?? 0, delayMsMax);
  const waitMs = Math.round(Math.max(growing * (1 - jitter + 2 * jitter * input.random), asked));
  if (attempts <= extraTries) return { kind: "retry", waitMs };
  const diesAt = event.eventType === "verification_code" ? event.expiresAt : undefined;
  return diesAt !== undefined && now < diesAt ? { kind: "retry", waitMs } : { kind: "give_up" };
}
