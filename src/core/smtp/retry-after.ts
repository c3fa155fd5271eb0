const unitMs: Readonly<Record<string, number>> = { s: 1_000, m: 60_000, h: 3_600_000 };
const inWords =
  /\b(?:again|retry|back)\b[^\d\n]{0,40}\b(?:in|after)\s+(\d{1,5})\s*(s|sec|secs|seconds?|m|min|mins|minutes?|h|hours?)?\b/i;
const asClock = /\b(?:again|retry|back)\b[^\d\n]{0,40}\b(?:in|after)\s+(\d{1,2}):(\d\d):(\d\d)\b/i;

/**
 * The delay a server asks for in the words of a 4xx reply ("Greylisted, try again in 300 seconds",
 * "please come back in 00:05:00"); without a unit, seconds. Undefined when it names none.
 */
export function findRetryAfterMs(reply: string): number | undefined {
  const text = reply.slice(0, 2_000);
  const clock = asClock.exec(text);
  if (clock !== null) {
    return (Number(clock[1]) * 3_600 + Number(clock[2]) * 60 + Number(clock[3])) * 1_000;
  }
  const words = inWords.exec(text);
  if (words === null) return undefined;
  const unit = (words[2] ?? "s").slice(0, 1).toLowerCase();
  return Number(words[1]) * (unitMs[unit] ?? 1_000);
}
