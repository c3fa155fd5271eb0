import { english } from "./languages/en.ts";
import { spanish } from "./languages/es.ts";
import { russian } from "./languages/ru.ts";
import type { LanguageMessages } from "./texts.ts";

/** The languages that mails are written in, by the tag that events name them with. */
export const languages = { en: english, es: spanish, ru: russian } as const satisfies Readonly<
  Record<string, LanguageMessages>
>;

export type Language = keyof typeof languages;

export const languageTags = Object.keys(languages) as readonly Language[];

export function isLanguage(tag: string): tag is Language {
  return Object.hasOwn(languages, tag);
}

/**
 * What to look for in turn: the locale, then each shorter form of it, then the same of the fallback
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
