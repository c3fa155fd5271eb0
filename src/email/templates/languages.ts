// The messages of mails in each language, and how it writes durations and times.
import type { Language } from "../../core/languages.ts";
import { tightUnits } from "../../core/languages.ts";
import type { TimeFormat } from "../mails/mail-type.ts";
import { parseTimestamp } from "../mails/mail-type.ts";
import type { LanguageMessages } from "../mails/mail-types.tsx";
import { memoize } from "../memoize.ts";
import { arabic } from "./languages/ar.ts";
import { german } from "./languages/de.ts";
import { english } from "./languages/en.ts";
import { spanish } from "./languages/es.ts";
import { french } from "./languages/fr.ts";
import { japanese } from "./languages/ja.ts";
import { portuguese } from "./languages/pt.ts";
import { russian } from "./languages/ru.ts";

export const mailMessages: Readonly<Record<Language, LanguageMessages>> = {
  en: english,
  de: german,
  es: spanish,
  fr: french,
  pt: portuguese,
  ru: russian,
  ar: arabic,
  ja: japanese,
};

const units = [
  ["day", 86_400_000],
  ["hour", 3_600_000],
  ["minute", 60_000],
  ["second", 1000],
] as const;

/**
 * Delivery takes a moment: the mail of a code that lives for 10 minutes says "10 minutes", not "9
 * minutes".
 */
const deliveryMs = 5000;

/** How many texts of `Intl`, which takes 0.3 to 1 µs for one, are kept. */
const countsMax = 120;
const minutesMax = 10;

/**
 * How a language writes durations and times. Call it once per language: `Intl` formats are slow to
 * make, so they are made on first use.
 */
export function createTimeFormat(locale: string, aMoment?: string): TimeFormat {
  let made: TimeFormat | undefined;
  const getFormat = () => {
    made ??= createIntlFormat(locale, aMoment);
    return made;
  };
  return {
    remaining: (expiresAt, now) => getFormat().remaining(expiresAt, now),
    time: (timestamp) => getFormat().time(timestamp),
  };
}

function createIntlFormat(locale: string, aMoment: string | undefined): TimeFormat {
  const unitFormat = (unit: string) =>
    new Intl.NumberFormat(locale, { style: "unit", unit, unitDisplay: "long" });
  const formats = units.map(([unit, unitMs]) => {
    const format = unitFormat(unit);
    return {
      unitMs,
      write: memoize((count: number) => tightUnits(format.format(count)), countsMax),
    };
  });
  const seconds = unitFormat("second");
  const timeFormat = new Intl.DateTimeFormat(locale, {
    year: "numeric",
    month: "long",
    day: "numeric",
    hour: "2-digit",
    minute: "2-digit",
    timeZone: "UTC",
    timeZoneName: "short",
  });
  const writeMinute = memoize((minute: number) => timeFormat.format(minute * 60_000), minutesMax);
  return {
    /**
     * Rounded down, in the largest unit with a value of at least two: "10 minutes", "90 minutes",
     * "2 hours". At most 5 s too long.
     */
    remaining: (expiresAt, now) => {
      const leftMs = Math.max(expiresAt - now + deliveryMs, 0);
      for (const { unitMs, write } of formats) {
        const count = Math.floor(leftMs / unitMs);
        if (count >= 2) return write(count);
      }
      return aMoment ?? tightUnits(seconds.format(Math.floor(leftMs / 1000)));
    },
    time: (timestamp) => writeMinute(Math.floor((parseTimestamp(timestamp) ?? 0) / 60_000)),
  };
}
