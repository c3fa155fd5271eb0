import { equalConstantTime, hmacText } from "./secret.ts";

/**
 * A text that we hand out and get back: anybody can read it, nobody without the key can make or
 * change one. `<part>.<part>.<time>.<signature>`: the time of signing in seconds, base 36; the
 * signature is HMAC-SHA-256 in base64url over the purpose, the parts and the time, so a text of one
 * purpose is forged for every other. Used by the cookies of the pages, the links to unsubscribe and
 * the session of an operator.
 */
interface SignedText {
  /** A new format needs a new purpose: an old text must not be read as a new one. */
  readonly purpose: string;
  /** Without dots; URL-safe where the text is to be. */
  readonly parts: readonly string[];
  /** Unix ms, kept to the second. */
  readonly signedAt: number;
}

export function signText(key: string, { purpose, parts, signedAt }: SignedText): string {
  const signed = [...parts, Math.floor(signedAt / 1000).toString(36)];
  return [...signed, sign(key, purpose, signed)].join(".");
}

interface Verification {
  readonly purpose: string;
  /** The current key, and those before it whose texts are still good. */
  readonly keys: readonly string[];
  readonly lifeMs: number;
  readonly now: number;
}

type SignedTextOutcome =
  | { readonly kind: "valid"; readonly parts: readonly string[]; readonly signedAt: number }
  /** Signed by us, but its life is over. */
  | { readonly kind: "expired" }
  | { readonly kind: "forged" };

/** Never throws, whatever the text; compares signatures in constant time. */
export function verifyText(
  text: string,
  { purpose, keys, lifeMs, now }: Verification,
): SignedTextOutcome {
  const signed = text.split(".");
  const signature = signed.pop() ?? "";
  if (!keys.some((key) => equalConstantTime(sign(key, purpose, signed), signature))) {
    return { kind: "forged" };
  }
  const parts = signed.slice(0, -1);
  const signedAt = Number.parseInt(signed.at(-1) ?? "", 36) * 1000;
  return now < signedAt + lifeMs ? { kind: "valid", parts, signedAt } : { kind: "expired" };
}

function sign(key: string, purpose: string, signed: readonly string[]): string {
  return hmacText(key, "base64url", purpose, ...signed);
}
