// Sign-in codes: what they are for, how they are derived and limited, and the port that keeps them.
import { hmac, hmacText } from "../../core/secret.ts";

/** The purpose of a code; a code of another purpose never matches. */
export const codePurposes = [
  "sign_in",
  "change_email", // to the new address
  "leave_email", // to the address that is changed
  "delete_account",
] as const;
export type CodePurpose = (typeof codePurposes)[number];

export interface CodeScope {
  readonly purpose: CodePurpose;
  /** The address in canonical form. */
  readonly email: string;
}

/**
 * The budgets of codes. With the defaults, an attacker who knows an address gets at most 5 guesses
 * in 15 min, so at most 20 in an hour, over all codes and resends. A code is valid for 10 min, so
 * it is compared with at most 5 of them; 5 codes an hour make 25 chances in a million an hour, or 1
 * in 1,667 in a day. The address gets at most 5 different mails an hour, and its owner cannot sign
 * in while it is locked, at worst for an hour at a time.
 */
export interface CodePolicy {
  /** How long a code is valid: 10 min. */
  readonly lifetimeMs: number;
  /** How long another request repeats the same message: 60 s, */
  readonly repeatWindowMs: number;
  /** at most 5 times. */
  readonly repeatsMax: number;
  /** New codes per address: 5 … */
  readonly codesMax: number;
  /** … in any hour. */
  readonly codesWindowMs: number;
  /** Wrong attempts per address: 5 … */
  readonly attemptsMax: number;
  /** … in any 15 min; the last of them locks the address, */
  readonly attemptsWindowMs: number;
  /** for 15 min the first time, doubled each further time */
  readonly lockMs: number;
  /** up to an hour. */
  readonly lockMsMax: number;
  /** A right code, or this long without a lock (24 h), resets to the short lock. */
  readonly lockMemoryMs: number;
  /** How long a device is known after the sign-in on it: 180 days. */
  readonly deviceLifetimeMs: number;
}

/** Known devices per address; one more forgets that of the oldest sign-in. */
export const knownDevicesMax = 10;

/** The wrong codes of a known device until it is forgotten: 10, with a lock after the fifth. */
export function deviceAttemptsMax({ attemptsMax }: CodePolicy): number {
  return 2 * attemptsMax;
}

const keptCodesMax = 20;

/**
 * Live codes kept per address: as many as may be sent in a window, so that no guess is compared
 * with more, even while refunded codes cost nothing. At most 20, to bound the size.
 */
export function liveCodesMax({ codesMax }: CodePolicy): number {
  return Math.min(codesMax, keptCodesMax);
}

const codesCount = 1_000_000;
/** The largest multiple of a million in 32 bits: higher words would make low codes likelier. */
const unbiasedEnd = Math.floor(2 ** 32 / codesCount) * codesCount;

/**
 * The six digits of one message: `HMAC(secret, "code" | purpose | email | message_id)`, its first
 * 32-bit word below 4,294,000,000, modulo a million. No code is stored: it can be derived again
 * from what is. (A word is skipped with odds of 1 in 4,440; after all eight, the HMAC of the HMAC
 * is used.)
 */
export function deriveCode(secret: string, scope: CodeScope, messageId: string): string {
  const parts = ["code", scope.purpose, scope.email, messageId];
  for (;;) {
    const digest = hmac(secret, ...parts);
    for (let offset = 0; offset < digest.length; offset += 4) {
      const word = digest.readUInt32BE(offset);
      if (word < unbiasedEnd) return String(word % codesCount).padStart(6, "0");
    }
    parts.push(digest.toString("hex"));
  }
}

/** What a store keeps to recognise a code; useless without the secret. */
export function deriveVerifier(secret: string, scope: CodeScope, code: string): string {
  return hmacText(secret, "hex", "verify", scope.purpose, scope.email, code);
}

/**
 * Stores which codes were issued to an address and how many wrong attempts were made. It never sees
 * a code, only verifiers.
 *
 * The state of one address (times are by the store's clock; each call is one atomic step; the rules
 * are in `code-rules.ts`, shared by every adapter):
 * - live codes, per purpose, each until it expires, or until one of its purpose is used, which ends
 *   all of them;
 * - a budget of new codes. A request within the repeat window returns the newest message again at
 *   no cost, up to a number of times. `refund` returns the cost of a message that could not be
 *   handed over; it stays the newest, and repeating it is charged again;
 * - a budget of wrong attempts over all purposes, codes and resends, charged with or without a live
 *   code. The last one locks the address, and its answer contains the lock: until the lock ends,
 *   every attempt is `locked` and not counted. Locks get longer, see `CodePolicy`;
 * - the code that was used last, until it would have expired: entered again it is `used`, and not
 *   counted;
 * - known devices, each from a verification that names it in `remember` until its lifetime ends or
 *   it is forgotten. A call that names one takes from the device's own budgets alone, whatever the
 *   address has left or is locked for: `codesMax` new codes in a window, and wrong attempts since
 *   the sign-in: `attemptsMax` lock the device for `lockMs`, twice as many forget it. Other requests
 *   do not displace the codes that it requested. A call that names another is `unknown_device`, and
 *   changes nothing.
 *
 * Promises, tested by `tests/contract/code-store.ts` for every adapter:
 * - However many attempts run at once, no more than the limit are compared, and one right attempt
 *   wins.
 * - All live verifiers are compared with all submitted ones. Timing reveals neither which matched
 *   nor whether there were any: every call makes the same round trips.
 * - A call may be repeated after its answer was lost: an issue with the same `messageId` and a
 *   verification with the same `attempt` get the same answer. (A repeated wrong one or resend
 *   counts twice.)
 * - Keys do not reveal the address; deleted state cannot be recovered.
 * Left out on purpose: closing (a store opens no resources), budgets per client and over all
 * addresses, deriving codes, sending.
 * Throws the engine's own error (`redis_unavailable`, `sqlite_busy`) when it is unavailable.
 */
export interface CodeStore {
  readonly policy: CodePolicy;
  /** Whether it is a local file rather than a server. */
  readonly embedded: boolean;
  /**
   * Starts to read the state of an address and returns calls that use it: the caller can wait for
   * something else meanwhile, which saves a round trip. Never throws; may be dropped unused.
   */
  prepare(email: string): PreparedCodes;
  issue(request: IssueRequest): Promise<IssueOutcome>;
  refund(request: CodeScope & { readonly messageId: string }): Promise<void>;
  verify(request: VerifyRequest): Promise<VerifyOutcome>;
  /** Ends all live codes of an address, of every purpose, and its devices; counts and locks stay. */
  forget(email: string): Promise<void>;
  /** Forgets all devices of an address, or `only` one, or all `except` one. */
  forgetDevices(request: ForgottenDevices): Promise<void>;
  /** Until when an address is locked, or a known device of it; in the past if it is not. */
  lockedUntil(request: {
    readonly email: string;
    readonly device?: string | undefined;
  }): Promise<number>;
  /**
   * Ends the locks of an address and of its devices, and forgets its wrong attempts and the charges
   * of codes. Returns until when it was locked; undefined if it was not.
   */
  unlock(email: string): Promise<number | undefined>;
  /** Throws when the store does not answer within `deadlineMs`. */
  ping(options: { readonly deadlineMs: number }): Promise<void>;
}

/** The same calls, for the one prepared address. */
export type PreparedCodes = Pick<CodeStore, "issue" | "verify">;

/** A new code, used unless an earlier one has to be repeated. */
export interface IssueRequest extends CodeScope {
  readonly messageId: string;
  readonly keyId: string;
  /** Called only for a new code, possibly again after a lost race; must be deterministic. */
  readonly verifier: () => string;
  /** What is needed to send the same message again; contains no code; ≤ 1000 characters. */
  readonly data: string;
  /** A message that must not be repeated, because it will not arrive. */
  readonly supersedes?: string;
  /** The known device that requests it. */
  readonly device?: string | undefined;
}

export type IssueOutcome =
  | { readonly kind: "issued"; readonly code: IssuedCode }
  /** `charged`: it costs again, because its cost was refunded. */
  | { readonly kind: "repeated"; readonly code: IssuedCode; readonly charged?: true }
  /** The budget is exhausted: of new codes, or of repeats of the newest one. */
  | {
      readonly kind: "rate_limited";
      readonly limit: "codes" | "repeats";
      readonly retryAfterMs: number;
    }
  | { readonly kind: "unknown_device" };

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
   * Verifiers of the entered code, one for each secret that live codes may be derived from.
   * Computed for every attempt, even with no code to compare or while locked, for constant time.
   */
  readonly verifiers: readonly string[];
  /** A name of this attempt: the same again gets the same answer, until the code has expired. */
  readonly attempt: string;
  /** False: a right code stays good (a wrong one counts all the same). */
  readonly consume: boolean;
  /** The known device on which it is entered. */
  readonly device?: string | undefined;
  /** With a right code that is consumed: the device to know from now on, in place of `device`. */
  readonly remember?: string | undefined;
}

export type VerifyOutcome =
  | {
      readonly kind: "verified";
      readonly messageId: string;
      /** Whether it was entered on a known device. */
      readonly known: boolean;
      /** Whether an earlier call of this attempt was the first. */
      readonly repeated: boolean;
    }
  /** With `lockedForMs`: it exhausted the budget, and the address or the device is locked now. */
  | { readonly kind: "wrong"; readonly lockedForMs?: number }
  /** It was right, and was used before by another attempt. */
  | { readonly kind: "used" }
  | { readonly kind: "locked"; readonly retryAfterMs: number }
  | { readonly kind: "unknown_device" };

export interface ForgottenDevices {
  readonly email: string;
  readonly only?: string;
  readonly except?: string;
}
