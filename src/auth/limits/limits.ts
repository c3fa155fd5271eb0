/**
 * How often something may happen, counted over exactly the last `windowMs`, whoever counts.
 *
 * Promises, tested by `tests/contract/limits.ts` for every adapter:
 * - `take` is one atomic step: it takes one use from every budget it names, or none from any when one
 *   of them is spent. However many run at once, no budget gives more than its quota in any window.
 * - What is refused costs nothing.
 * - Every call may be repeated, at any later time: a use is counted once by its `use` name, and given
 *   back once. (A late copy of a `take` that was given back, or is long over, may count one more.)
 * - Keys do not show the subject; what is over is forgotten. Times are the store's own.
 * Left out on purpose: closing (a store opens nothing of its own).
 * Throws the engine's own error (`redis_unavailable`, `sqlite_busy`) when it is away.
 */
export interface Limits {
  /** Whether it is a file of ours rather than a server. */
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
  readonly budgets: readonly Budget[];
}

export interface Budget extends BudgetPolicy {
  /** What is counted, in kebab-case: "codes-per-client". */
  readonly scope: string;
  /** Whose uses are counted together: a client's network, "all". */
  readonly subject: string;
}

export interface BudgetPolicy {
  readonly quota: number;
  readonly windowMs: number;
}

export type TakeOutcome =
  | { readonly kind: "taken" }
  /** The spent budget that takes longest to have some again, and how long that is. */
  | { readonly kind: "spent"; readonly budget: Budget; readonly retryAfterMs: number };
