// HMACs, random tokens, constant-time comparison, signed text, and how strong a secret is.
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

/**
 * Placeholders from examples, or typed in a hurry. Fewer than one random secret in a million
 * matches by chance. That is why a run must be ten long: one in 18,000 secrets of 64 hex digits has
 * six alike.
 */
const placeholder =
  /change[-_ ]?(?:me|this|it)|secret|passwor[dt]|example|default|replace|generate|insecure|qwerty|letmein|12345678|(.)\1{9}/i;
/** The command that makes a secret. */
export const newSecret = "openssl rand -base64 32";

/**
 * Why a secret is weak, as the rest of a sentence about it; undefined when it is strong. From 32
 * characters on it needs 80 bits, because it can be guessed offline. A shorter one is a token or a
 * password with limited attempts, and needs two bits for each character. Fewer than one random
 * secret in a million lacks them, in hex too.
 */
export function describeWeakness(secret: string): string | undefined {
  if (placeholder.test(secret)) return "looks like a placeholder, not like a random secret";
  const [bitsMin, distinctMin] = secret.length < 32 ? [2 * secret.length, 5] : [80, 8];
  const distinct = new Set(secret).size;
  if (distinct < distinctMin) return `has only ${distinct} different characters`;
  if (isRepetition(secret)) return "repeats itself";
  const bits = Math.floor(Math.min(estimateBits([...secret]), 2 * estimateBits(steps(secret))));
  return bits < bitsMin ? `has about ${bits} bits of entropy, and needs ${bitsMin}` : undefined;
}

function isRepetition(secret: string): boolean {
  for (let period = 1; period <= secret.length / 2; period += 1) {
    if (secret.startsWith(secret.slice(period))) return true;
  }
  return false;
}

/** From each character to the next: all alike in "abcdef…". */
function steps(secret: string): number[] {
  return Array.from(secret.slice(1), (_, at) => secret.charCodeAt(at + 1) - secret.charCodeAt(at));
}

/** The upper bound that the frequencies allow (Shannon). */
function estimateBits(symbols: readonly (string | number)[]): number {
  const counts = new Map<string | number, number>();
  for (const symbol of symbols) counts.set(symbol, (counts.get(symbol) ?? 0) + 1);
  let bits = 0;
  for (const count of counts.values()) bits -= count * Math.log2(count / symbols.length);
  return bits;
}

export interface WeakSecret {
  /** Its variable. */
  readonly name: string;
  readonly kind: "strength" | "shared";
  /** The rest of a sentence about it; never shows its value. */
  readonly problem: string;
  readonly fix: string;
}

/** Of the secrets that are set, by their variables: those that can be guessed, or are set twice. */
export function findWeakSecrets(
  secrets: Readonly<Record<string, string | undefined>>,
): readonly WeakSecret[] {
  const firstOf = new Map<string, string>();
  return Object.entries(secrets).flatMap(([name, secret]): WeakSecret[] => {
    if (secret === undefined) return [];
    const weakness = describeWeakness(secret);
    if (weakness !== undefined) {
      return [
        { name, kind: "strength", problem: weakness, fix: `generate a new one: ${newSecret}` },
      ];
    }
    const other = firstOf.get(secret);
    if (other === undefined) {
      firstOf.set(secret, name);
      return [];
    }
    const fix = `if one leaks, both leak: generate one for each with ${newSecret}`;
    return [{ name, kind: "shared", problem: `is the same as ${other}`, fix }];
  });
}
