/** Times as a person says them, without a time zone, which the server does not know. */
const relative = new Intl.RelativeTimeFormat("en", { numeric: "auto" });
const [minuteMs, hourMs, dayMs] = [60_000, 3_600_000, 86_400_000];

/** How long ago: "just now", "5 minutes ago", "yesterday". */
export function agoWords(agoMs: number): string {
  if (agoMs < minuteMs) return "just now";
  if (agoMs < hourMs) return relative.format(-Math.floor(agoMs / minuteMs), "minute");
  if (agoMs < dayMs) return relative.format(-Math.floor(agoMs / hourMs), "hour");
  return relative.format(-Math.floor(agoMs / dayMs), "day");
}

/** How long still, rounded up so that nobody comes too early: "42 seconds", "15 minutes". */
export function leftWords(leftMs: number): string {
  const seconds = Math.max(1, Math.ceil(leftMs / 1000));
  if (seconds < 60) return count(seconds, "second");
  const minutes = Math.ceil(seconds / 60);
  return minutes < 120 ? count(minutes, "minute") : count(Math.ceil(minutes / 60), "hour");
}

function count(number: number, unit: string): string {
  return number === 1 ? `1 ${unit}` : `${number} ${unit}s`;
}
