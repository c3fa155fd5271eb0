import { timingSafeEqual } from "node:crypto";

/** HMAC-SHA-256 over the parts, each preceded by its length so that no two lists collide. */
export function hmac(key: string, ...parts: readonly string[]): Buffer {
  const hasher = new Bun.CryptoHasher("sha256", key);
  for (const part of parts) {
    const bytes = Buffer.from(part, "utf8");
    hasher.update(`${bytes.length}:`);
    hasher.update(bytes);
  }
  return hasher.digest();
}

export function sha256Hex(text: string): string {
  return new Bun.CryptoHasher("sha256").update(text).digest("hex");
}

/** `byteCount` random bytes as URL-safe text. */
export function randomToken(byteCount = 32): string {
  return Buffer.from(crypto.getRandomValues(new Uint8Array(byteCount))).toString("base64url");
}

/** Compares a secret with what was given for it, in time that tells nothing, not even its length. */
export function equalSecret(given: string, secret: string): boolean {
  return equalConstantTime(sha256Hex(given), sha256Hex(secret));
}

/** Compares in time that depends on the lengths alone. */
export function equalConstantTime(a: string, b: string): boolean {
  const left = Buffer.from(a);
  const right = Buffer.from(b);
  return left.length === right.length && timingSafeEqual(left, right);
}
