import { sha256Hex } from "../../core/secret.ts";

/**
 * Rate limits: uses are counted over exactly the last `windowMs`, across all processes.
 *
 * Promises, tested by `tests/contract/limits.ts` for every adapter:
 * - `take` is one atomic step: it takes one use from every budget it names, or none from any when
 *   one of them is exhausted. However many run at once, no budget allows more than its quota in any
 *   window.
 * - A refused `take` costs nothing.
 * - Every call may be repeated, at any later time: a use is counted once by its `use` name, and
 *   given back once. (A late copy of a `take` that was given back or has left the window may count
 *   once more.)
 * - Keys do not reveal the subject; uses outside the window are dropped. Times are by the store's
 *   clock. Left out on purpose: closing (a store opens no resources).
 * Throws the engine's own error (`redis_unavailable`, `sqlite_busy`) when it is unavailable.
 */
export interface Limits {
  /** Whether it is a local file rather than a server. */
  readonly embedded: boolean;
  take(request: LimitedUse): Promise<TakeOutcome>;
  giveBack(request: LimitedUse): Promise<void>;
  /** Throws when the store does not answer within `deadlineMs`. */
  ping(options: { readonly deadlineMs: number }): Promise<void>;
}

export interface LimitedUse {
  /** A random name of this use. */
  readonly use: string;
  /** 1 to 10. */
  readonly limits: readonly RateLimit[];
}

export interface RateLimit extends QuotaPolicy {
  /** The limit's name, in kebab-case: "codes-per-client". */
  readonly scope: string;
  /** What shares the budget: a client's network, or "all". */
  readonly subject: string;
}

interface QuotaPolicy {
  readonly quota: number;
  readonly windowMs: number;
}

export type TakeOutcome =
  | { readonly kind: "taken" }
  /** The exhausted budget with the longest wait until its next use, and that wait. */
  | { readonly kind: "rate_limited"; readonly limit: RateLimit; readonly retryAfterMs: number };

/** The key of a budget's uses: it does not reveal the subject. */
export function limitName({ scope, subject }: RateLimit): string {
  return `${scope}:${sha256Hex(`instant-limit:${subject}`)}`;
}

/**
 * The budgets above those of one address. They count per client (an IPv4 address, the /64 of an
 * IPv6 one) and globally, because an attacker who tries many addresses exhausts no address's
 * budget. With the defaults a client requests at most 60 codes and enters at most 60 wrong ones in
 * an hour, and all clients together 10,000 of each. A right code costs nothing.
 */
export interface LimitPolicy {
  readonly codesPerClient: QuotaPolicy;
  readonly codesGlobal: QuotaPolicy;
  readonly attemptsPerClient: QuotaPolicy;
  readonly attemptsGlobal: QuotaPolicy;
}

/** The budgets that requesting a code takes from. */
export function codeLimits(policy: LimitPolicy, client: string): readonly RateLimit[] {
  return [
    { scope: "codes-per-client", subject: client, ...policy.codesPerClient },
    { scope: "codes-global", subject: "all", ...policy.codesGlobal },
  ];
}

/**
 * The budget of the codes that known devices request: all of them together as many as all clients.
 * The device's own budget bounds each.
 */
export function deviceCodeLimits(policy: LimitPolicy): readonly RateLimit[] {
  return [{ scope: "codes-known-global", subject: "all", ...policy.codesGlobal }];
}

/** The budgets that entering a code takes from; refunded if it is right. */
export function attemptLimits(policy: LimitPolicy, client: string): readonly RateLimit[] {
  return [
    { scope: "attempts-per-client", subject: client, ...policy.attemptsPerClient },
    { scope: "attempts-global", subject: "all", ...policy.attemptsGlobal },
  ];
}
