const units = [
  ["day", 86_400_000],
  ["hour", 3_600_000],
  ["minute", 60_000],
  ["second", 1000],
] as const;

/** A mail that goes out at once says "10 minutes", not "9 minutes" for the sake of a second. */
const deliveryMs = 5000;

/**
 * What is left until `expiresAt`, rounded down in the largest unit of which two are left: at most
 * 5 s more than there is. "10 minutes", "90 minutes", "2 hours".
 */
export function remainingWords(expiresAt: number | undefined, now: number): string {
  if (expiresAt === undefined) return "an unlimited time";
  const leftMs = Math.max(expiresAt - now + deliveryMs, 0);
  for (const [unit, unitMs] of units) {
    const count = Math.floor(leftMs / unitMs);
    if (count >= 2) return `${count} ${unit}s`;
  }
  return "a moment";
}
