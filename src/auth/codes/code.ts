import { hmac, hmacText } from "../../core/secret.ts";

/** What a code is for; one of another purpose never matches. */
export const codePurposes = ["sign_in", "change_email", "delete_account"] as const;
export type CodePurpose = (typeof codePurposes)[number];

export interface CodeScope {
  readonly purpose: CodePurpose;
  /** In canonical form. */
  readonly email: string;
}

const codesCount = 1_000_000;
/** The largest multiple of a million in 32 bits: what is above would make low codes likelier. */
const unbiasedEnd = Math.floor(2 ** 32 / codesCount) * codesCount;

/**
 * The six digits of one message: `HMAC(secret, "code" | purpose | email | message_id)`, its first
 * 32-bit word below 4,294,000,000, modulo a million. Nobody stores a code, because it can be made
 * again from what is stored. (A word is skipped with odds of 1 in 4,440; when all eight are, the
 * HMAC of the HMAC goes on.)
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

/** What a store keeps to recognise a code: it gives nothing away without the secret. */
export function deriveVerifier(secret: string, scope: CodeScope, code: string): string {
  return hmacText(secret, "hex", "verify", scope.purpose, scope.email, code);
}
