import type { CodePolicy, CodeScope } from "./code.ts";

/**
 * The memory of codes: what was issued to an address, and how often somebody guessed. It never sees
 * a code, only verifiers of it.
 *
 * One address has (times are the store's own; each call is one atomic step; the rules are in
 * `code-rules.ts`, once for every adapter):
 * - live codes, per purpose, each until it expires or one of its purpose is used, which ends all;
 * - a budget of new codes. Asking again within the repeat window gives the newest message again and
 *   costs nothing, up to a number of times. `refund` gives back what was spent on a message that
 *   nobody took; the message stays the newest, and giving it out again costs anew;
 * - a budget of wrong attempts over all purposes, codes and resends, spent with or without a live code.
 *   The last one locks, and its answer says so: until the lock ends, every try is `locked` and counts
 *   for nothing. Locks grow, see `CodePolicy`.
 *
 * Promises, tested by `tests/contract/code-store.ts` for every adapter:
 * - However many attempts run at once, exactly the limit is compared, and one right attempt wins.
 * - All live verifiers are compared with all those offered. Timing reveals neither which matched nor
 *   whether there were any: every call makes the same round trips.
 * - A call may be repeated after its answer was lost: an issue with the same `messageId` and a
 *   try with the same `attempt` answer as before. (A repeated wrong try or resend counts twice.)
 * - Keys do not show the address; what is forgotten is gone.
 * Left out on purpose: closing (a store opens nothing of its own), budgets per client and over all
 * addresses, deriving codes, sending.
 * Throws the engine's own error (`redis_unavailable`, `sqlite_busy`) when it is unavailable.
 */
export interface CodeStore {
  readonly policy: CodePolicy;
  /** Whether it is a file of ours rather than a server. */
  readonly embedded: boolean;
  /**
   * Starts to read what an address has, and returns the calls to make once the caller has waited for
   * something else: that saves them a round trip. Never fails itself, and may be dropped unused.
   */
  prepare(email: string): PreparedCodes;
  issue(request: IssueRequest): Promise<IssueOutcome>;
  refund(request: CodeScope & { readonly messageId: string }): Promise<void>;
  verify(request: VerifyRequest): Promise<VerifyOutcome>;
  /** Ends all live codes of an address, of every purpose; what was spent and locked stays so. */
  forget(email: string): Promise<void>;
  /** Throws when the store does not answer within `deadlineMs`. */
  ping(options: { readonly deadlineMs: number }): Promise<void>;
}

/** For the address that was named alone. */
export type PreparedCodes = Pick<CodeStore, "issue" | "verify">;

/** A new code, used unless an earlier one is to be repeated. */
export interface IssueRequest extends CodeScope {
  readonly messageId: string;
  readonly keyId: string;
  /** Called only for a new code, again after a lost race; always gives the same. */
  readonly verifier: () => string;
  /** What is needed to send the same message again; no code in it; ≤ 1000 characters. */
  readonly data: string;
  /** The message that must not be given again, because it will not arrive. */
  readonly supersedes?: string;
}

export type IssueOutcome =
  | { readonly kind: "issued"; readonly code: IssuedCode }
  | { readonly kind: "repeated"; readonly code: IssuedCode }
  /** Nothing is left: of new codes, or of repeats of the newest one. */
  | {
      readonly kind: "rate_limited";
      readonly limit: "codes" | "repeats";
      readonly retryAfterMs: number;
    };

export interface IssuedCode {
  readonly messageId: string;
  /** Unix ms by the store's clock. */
  readonly timestamp: number;
  readonly expiresAt: number;
  readonly keyId: string;
  readonly data: string;
}

export interface VerifyRequest extends CodeScope {
  /**
   * Of the entered code, one for each secret whose codes may live. Made for every try, even with no
   * code to compare or the address locked: constant time.
   */
  readonly verifiers: readonly string[];
  /** A random name of this try. */
  readonly attempt: string;
  /** False: a right code stays good (a wrong one counts all the same). */
  readonly consume: boolean;
}

export type VerifyOutcome =
  | { readonly kind: "verified"; readonly messageId: string }
  /** With `lockedForMs`: it was the last of the budget, and the address is locked now. */
  | { readonly kind: "wrong"; readonly lockedForMs?: number }
  | { readonly kind: "locked"; readonly retryAfterMs: number };
