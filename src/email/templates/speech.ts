import { parseTimestamp } from "../mails/data-fields.ts";
import type { Say } from "../mails/mail-type.ts";

const units = [
  ["day", 86_400_000],
  ["hour", 3_600_000],
  ["minute", 60_000],
  ["second", 1000],
] as const;

/** A mail that goes out at once says "10 minutes", not "9 minutes" for the sake of a second. */
const deliveryMs = 5000;

const unitStyle = (unit: string) => ({ style: "unit", unit, unitDisplay: "long" }) as const;

/** How a language says durations and times, and what it calls a `moment`; made once, since making `Intl` formats is slow. */
export function createSpeech(locale: string, moment?: string): Say {
  const formats = units.map(([unit, unitMs]) => ({
    unitMs,
    format: new Intl.NumberFormat(locale, unitStyle(unit)),
  }));
  const seconds = new Intl.NumberFormat(locale, unitStyle("second"));
  const timeFormat = new Intl.DateTimeFormat(locale, {
    year: "numeric",
    month: "long",
    day: "numeric",
    hour: "2-digit",
    minute: "2-digit",
    timeZone: "UTC",
    timeZoneName: "short",
  });
  return {
    /**
     * What is left, rounded down in the largest unit of which two are left: at most 5 s more than
     * there is. "10 minutes", "90 minutes", "2 hours".
     */
    remaining: (expiresAt, now) => {
      const leftMs = Math.max(expiresAt - now + deliveryMs, 0);
      for (const { unitMs, format } of formats) {
        const count = Math.floor(leftMs / unitMs);
        if (count >= 2) return format.format(count);
      }
      return moment ?? seconds.format(Math.floor(leftMs / 1000));
    },
    time: (timestamp) => timeFormat.format(parseTimestamp(timestamp) ?? 0),
  };
}
