import { hmac, hmacText } from "../../core/secret.ts";

/** The purpose of a code; a code of another purpose never matches. */
export const codePurposes = ["sign_in", "change_email", "delete_account"] as const;
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
}

export const codePolicyDefault: CodePolicy = {
  lifetimeMs: 600_000,
  repeatWindowMs: 60_000,
  repeatsMax: 5,
  codesMax: 5,
  codesWindowMs: 3_600_000,
  attemptsMax: 5,
  attemptsWindowMs: 900_000,
  lockMs: 900_000,
  lockMsMax: 3_600_000,
  lockMemoryMs: 86_400_000,
};

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
