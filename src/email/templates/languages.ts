import type { TimeFormat } from "../mails/mail-type.ts";
import { parseTimestamp } from "../mails/mail-type.ts";
import type { LanguageMessages } from "../mails/mail-types.tsx";
import { memoize } from "../memoize.ts";
import { english } from "./languages/en.ts";
import { spanish } from "./languages/es.ts";
import { russian } from "./languages/ru.ts";

/** The languages of mails, by tag. */
export const languages = { en: english, es: spanish, ru: russian } as const satisfies Readonly<
  Record<string, LanguageMessages>
>;

export type Language = keyof typeof languages;

export const languageTags = Object.keys(languages) as readonly Language[];

export function isLanguage(tag: string): tag is Language {
  return Object.hasOwn(languages, tag);
}

/**
 * The tags to try in turn: the locale, then its shorter forms, then the same for the fallback
 * locale, then English. All in lower case: "es-MX" → es-mx, es, en.
 */
export function localeChain(locale: string | undefined, fallback: string): readonly string[] {
  const shortened = (tag: string) => {
    const parts = tag.toLowerCase().split("-");
    return parts.map((_part, dropped) => parts.slice(0, parts.length - dropped).join("-"));
  };
  const wanted = locale === undefined ? [] : shortened(locale);
  return [...new Set([...wanted, ...shortened(fallback), "en"])];
}

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
    return { unitMs, write: memoize((count: number) => format.format(count), countsMax) };
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
      return aMoment ?? seconds.format(Math.floor(leftMs / 1000));
    },
    time: (timestamp) => writeMinute(Math.floor((parseTimestamp(timestamp) ?? 0) / 60_000)),
  };
}
