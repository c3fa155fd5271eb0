// The messages of the pages in each language, and how it writes times.
import type { Language } from "../../core/languages.ts";
import { tightUnits, traitsOf } from "../../core/languages.ts";
import { someBrowser, unknownDevice } from "../sessions/session-store.ts";
import { arabic } from "./languages/ar.ts";
import { german } from "./languages/de.ts";
import type { PageMessages } from "./languages/en.ts";
import { english } from "./languages/en.ts";
import { spanish } from "./languages/es.ts";
import { french } from "./languages/fr.ts";
import { japanese } from "./languages/ja.ts";
import { portuguese } from "./languages/pt.ts";
import { russian } from "./languages/ru.ts";

export const pageMessages: Readonly<Record<Language, PageMessages>> = {
  en: english,
  de: german,
  es: spanish,
  fr: french,
  pt: portuguese,
  ru: russian,
  ar: arabic,
  ja: japanese,
};

/** What a page is written with. Times are relative: the server does not know the reader's zone. */
export interface PageLanguage {
  readonly language: Language;
  readonly messages: PageMessages;
  /** How long ago: "just now", "5 minutes ago", "yesterday". */
  ago(agoMs: number): string;
  /** A duration, rounded up so that nobody returns too early: "42 seconds", "15 minutes". */
  left(leftMs: number): string;
  /** The time after it: "in 42 seconds". */
  later(leftMs: number): string;
}

const made = new Map<Language, PageLanguage>();

/** Made on first use: `Intl` formats are slow to make. */
export function pageLanguageOf(language: Language): PageLanguage {
  const known = made.get(language);
  if (known !== undefined) return known;
  const created = createPageLanguage(language);
  made.set(language, created);
  return created;
}

const [minuteMs, hourMs, dayMs] = [60_000, 3_600_000, 86_400_000];

function createPageLanguage(language: Language): PageLanguage {
  const { locale } = traitsOf(language);
  const messages = pageMessages[language];
  const past = new Intl.RelativeTimeFormat(locale, { numeric: "auto" });
  const future = new Intl.RelativeTimeFormat(locale, { numeric: "always" });
  const before = (count: number, unit: "minute" | "hour" | "day") =>
    tightUnits(past.format(-Math.floor(count), unit));
  return {
    language,
    messages,
    ago: (agoMs) => {
      if (agoMs < minuteMs) return messages.account.sessions.now;
      if (agoMs < hourMs) return before(agoMs / minuteMs, "minute");
      if (agoMs < dayMs) return before(agoMs / hourMs, "hour");
      return before(agoMs / dayMs, "day");
    },
    left: (leftMs) => {
      const { count, unit } = roundedUp(leftMs);
      const options = { style: "unit", unit, unitDisplay: "long" } as const;
      return tightUnits(new Intl.NumberFormat(locale, options).format(count));
    },
    later: (leftMs) => {
      const { count, unit } = roundedUp(leftMs);
      return tightUnits(future.format(count, unit));
    },
  };
}

function roundedUp(leftMs: number) {
  const seconds = Math.max(1, Math.ceil(leftMs / 1000));
  if (seconds < 60) return { count: seconds, unit: "second" } as const;
  const minutes = Math.ceil(seconds / 60);
  if (minutes < 120) return { count: minutes, unit: "minute" } as const;
  return { count: Math.ceil(minutes / 60), unit: "hour" } as const;
}

/** A name of `describeDevice` in a language; any other name as it is. */
export function deviceName(device: string, { account }: PageMessages): string {
  const { sessions } = account;
  if (device === unknownDevice) return sessions.unknownDevice;
  const [, browser, system] = /^(.+) on (.+)$/.exec(device) ?? [];
  if (browser === undefined || system === undefined) return device;
  return sessions.device(browser === someBrowser ? sessions.someBrowser : browser, system);
}
