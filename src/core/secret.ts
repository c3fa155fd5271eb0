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
  return new Bun.CryptoHasher("sha256").update(text).digest("hex");
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
