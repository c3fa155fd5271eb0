import type { Diagnosis } from "../core/diagnosis.ts";

/**
 * Words of examples and of people in a hurry. Chance puts one of them into fewer than one random
 * secret in a million; that is why a run is ten long: six alike are in one of 18,000 secrets of 64
 * hex digits.
 */
const placeholder =
  /change[-_ ]?(?:me|this)|secret|passwor[dt]|example|default|replace|qwerty|letmein|12345678|(.)\1{9}/i;
const bitsMin = 100;
const distinctMin = 10;
const newSecret = "openssl rand -base64 32";

/** Why a secret is guessable, in words that follow its name; undefined for one that is not. */
export function describeWeakness(secret: string): string | undefined {
  if (placeholder.test(secret)) return "looks like a placeholder, not like a random secret";
  const distinct = new Set(secret).size;
  if (distinct < distinctMin) return `has only ${distinct} different characters`;
  const bits = Math.floor(estimateBits(secret));
  return bits < bitsMin ? `has about ${bits} bits of chance, and needs ${bitsMin}` : undefined;
}

/** What the frequencies of its characters allow at most (Shannon). */
function estimateBits(secret: string): number {
  const counts = new Map<string, number>();
  for (const char of secret) counts.set(char, (counts.get(char) ?? 0) + 1);
  let bits = 0;
  for (const count of counts.values()) bits -= count * Math.log2(count / secret.length);
  return bits;
}

/** Secrets that were set, by the name of their variable: each strong, no two alike. */
export function diagnoseSecrets(
  diagnosis: Diagnosis,
  secrets: Readonly<Record<string, string | undefined>>,
): void {
  const set = Object.entries(secrets).filter(([, secret]) => secret !== undefined);
  const namesOf = new Map<string, string[]>();
  const strong: string[] = [];
  for (const [name, secret = ""] of set) {
    namesOf.set(secret, [...(namesOf.get(secret) ?? []), name]);
    const weakness = describeWeakness(secret);
    if (weakness === undefined) strong.push(name);
    else {
      const mend = `Make a new one: ${newSecret}`;
      diagnosis.fault("secrets.strength", `${name} ${weakness}`, mend);
    }
  }
  for (const names of namesOf.values()) {
    if (names.length < 2) continue;
    const mend = `Who learns one has all: give each its own by ${newSecret}`;
    diagnosis.fault("secrets.shared", `${names.join(" and ")} are the same`, mend);
  }
  if (strong.length > 0) diagnosis.ok("secrets.strength", `${strong.join(", ")}: long and random`);
}
