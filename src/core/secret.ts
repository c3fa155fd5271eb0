// HMACs, random tokens, constant-time comparison, and signed text.
import { timingSafeEqual } from "node:crypto";

/** HMAC-SHA-256 over the parts, each preceded by its length so that no two lists collide. */
export function hmac(key: string, ...parts: readonly string[]): Buffer {
  return hasherOf(key, parts).digest();
}

/** The same HMAC as text. */
export function hmacText(
  key: string,
  encoding: "hex" | "base64url",
  ...parts: readonly string[]
): string {
  return hasherOf(key, parts).digest(encoding);
}

function hasherOf(key: string, parts: readonly string[]): Bun.CryptoHasher {
  const hasher = new Bun.CryptoHasher("sha256", key);
  let text = "";
  for (const part of parts) text += `${Buffer.byteLength(part)}:${part}`;
  return hasher.update(text);
}

export function sha256Hex(text: string): string {
  return Bun.SHA256.hash(text, "hex");
}

/** `byteCount` random bytes as URL-safe text. */
export function randomToken(byteCount = 32): string {
  return Buffer.from(crypto.getRandomValues(new Uint8Array(byteCount))).toString("base64url");
}

/** Constant-time comparison that does not even reveal the length. */
export function equalSecret(given: string, secret: string): boolean {
  return equalConstantTime(sha256Hex(given), sha256Hex(secret));
}

/** Constant-time for texts of equal length. */
export function equalConstantTime(a: string, b: string): boolean {
  const left = Buffer.from(a);
  const right = Buffer.from(b);
  return left.length === right.length && timingSafeEqual(left, right);
}

/**
 * A signed token that is handed out and comes back. Anyone can read it; only the key's owner can
 * create or change one. `<part>.<part>.<time>.<signature>`: the time of signing is in seconds, base
 * 36; the signature is HMAC-SHA-256 in base64url over the purpose, the parts and the time, so a
 * text is only valid for its own purpose. Used by the pages' cookies, unsubscribe links and
 * operators' sessions.
 */
interface SignedText {
  /** A new format needs a new purpose: an old text must not be read as a new one. */
  readonly purpose: string;
  /** Without dots; URL-safe if the text has to be. */
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
  /** The current key, and previous ones whose texts are still valid. */
  readonly keys: readonly string[];
  readonly lifeMs: number;
  readonly now: number;
}

type SignedTextOutcome =
  | { readonly kind: "valid"; readonly parts: readonly string[]; readonly signedAt: number }
  /** Validly signed, but expired. */
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
