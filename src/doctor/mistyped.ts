import type { Diagnosis } from "../core/diagnosis.ts";

/** What other programs call it. */
const otherNames: Readonly<Record<string, string>> = {
  DB_NAME: "DB_DATABASE",
  EMAIL_FROM: "SMTP_FROM",
  KAFKA_BOOTSTRAP_SERVERS: "KAFKA_BROKERS",
  MAIL_FROM: "SMTP_FROM",
  POSTGRES_URL: "DATABASE_URL",
  REDIS_HOST: "REDIS_ADDR",
  SMTP_SECURE: "SMTP_TLS",
  SMTP_SERVER: "SMTP_HOST",
};
const editsMax = 2;

/**
 * Variables that are set, mean nothing to the program, and look like one that is not set. Others
 * are left alone: an environment is full of other programs' variables.
 */
export function diagnoseNames(
  diagnosis: Diagnosis,
  environment: Readonly<Record<string, string | undefined>>,
  known: readonly string[],
): void {
  const names = new Set(known);
  const free = known.filter((name) => !environment[name]);
  for (const [name, value] of Object.entries(environment)) {
    if (!value || names.has(name)) continue;
    const meant = suggest(name, free);
    if (meant === undefined) continue;
    const text = `${name} is set, but it is no variable of this program`;
    diagnosis.warn("config.mistyped", text, `Did you mean ${meant}? Rename it, or remove it`);
  }
}

/** The variable that was probably meant. */
export function suggest(name: string, known: readonly string[]): string | undefined {
  const upper = name.toUpperCase();
  const other = otherNames[upper];
  if (other !== undefined && known.includes(other)) return other;
  const scored = known
    .map((candidate) => ({ candidate, edits: score(upper, candidate) }))
    .filter(({ edits }) => edits <= editsMax)
    .toSorted((a, b) => a.edits - b.edits);
  return scored[0]?.candidate;
}

/** Edits between two names; one that begins with the other, as SMTP_PASS and SMTP_PASSWORD: 1. */
function score(name: string, candidate: string): number {
  const [short, long] = name.length < candidate.length ? [name, candidate] : [candidate, name];
  const isBeginning = long.startsWith(short) && /^[A-Z]+$/.test(long.slice(short.length));
  if (isBeginning && /^[A-Z]+_[A-Z]{3}/.test(short)) return 1;
  if (long.length - short.length > editsMax || short.length < 6) return Number.POSITIVE_INFINITY;
  return countEdits(name, candidate);
}

/** Letters put in, left out, changed or swapped with their neighbour (optimal string alignment). */
function countEdits(a: string, b: string): number {
  let beforeLast: number[] = [];
  let last = Array.from({ length: b.length + 1 }, (_, index) => index);
  for (let i = 1; i <= a.length; i += 1) {
    const row = [i];
    for (let j = 1; j <= b.length; j += 1) {
      const changed = (last[j - 1] ?? 0) + (a[i - 1] === b[j - 1] ? 0 : 1);
      const least = Math.min(changed, (last[j] ?? 0) + 1, (row[j - 1] ?? 0) + 1);
      const swaps = i > 1 && j > 1 && a[i - 1] === b[j - 2] && a[i - 2] === b[j - 1];
      row.push(swaps ? Math.min(least, (beforeLast[j - 2] ?? 0) + 1) : least);
    }
    beforeLast = last;
    last = row;
  }
  return last[b.length] ?? 0;
}
