// The languages in which people are addressed: on pages and in mails.

interface LanguageTraits {
  /** In the language itself. */
  readonly name: string;
  /** BCP 47: the `lang` of pages and mails, and the locale in which `Intl` writes. */
  readonly locale: string;
  readonly direction: "ltr" | "rtl";
  /** What screen readers call the list of languages. */
  readonly listLabel: string;
}

/**
 * By tag. Each also has a file of messages for the pages of sign-in, in `auth/pages/languages`, and
 * one for mails and their preferences, in `email/templates/languages`; the compiler names what is
 * missing.
 */
export const languages = {
  en: { name: "English", locale: "en-GB", direction: "ltr", listLabel: "Language" },
  de: { name: "Deutsch", locale: "de", direction: "ltr", listLabel: "Sprache" },
  es: { name: "Español", locale: "es", direction: "ltr", listLabel: "Idioma" },
  fr: { name: "Français", locale: "fr", direction: "ltr", listLabel: "Langue" },
  pt: { name: "Português (Brasil)", locale: "pt-BR", direction: "ltr", listLabel: "Idioma" },
  ru: { name: "Русский", locale: "ru", direction: "ltr", listLabel: "Язык" },
  ar: { name: "العربية", locale: "ar", direction: "rtl", listLabel: "اللغة" },
  ja: { name: "日本語", locale: "ja", direction: "ltr", listLabel: "言語" },
} as const satisfies Readonly<Record<string, LanguageTraits>>;

export type Language = keyof typeof languages;

export const languageTags = Object.keys(languages) as readonly Language[];

export function traitsOf(language: Language): LanguageTraits {
  return languages[language];
}

export function isLanguage(tag: string): tag is Language {
  return Object.hasOwn(languages, tag);
}

/**
 * The tags to try in turn: the locale, then its shorter forms, then the same for the fallback
 * locale, then English. All in lower case: "es-MX" → es-mx, es, en.
 */
export function localeChain(locale: string | undefined, fallback: string): readonly string[] {
  const wanted = locale === undefined ? [] : shortened(locale);
  return [...new Set([...wanted, ...shortened(fallback), "en"])];
}

/** The language of a locale: "pt-PT" → pt; undefined when it is none of ours. */
export function findLanguage(locale: string): Language | undefined {
  return shortened(locale).find(isLanguage);
}

/** Whether a locale is in one of these languages, by its tag or by a shorter form (RFC 4647, 3.4). */
export function isSpoken(locale: string, spoken: readonly string[]): boolean {
  return shortened(locale).some((tag) => spoken.includes(tag));
}

function shortened(locale: string): string[] {
  const parts = locale.toLowerCase().split("-");
  return parts.map((_part, dropped) => parts.slice(0, parts.length - dropped).join("-"));
}

/** "15 分" as people write it, "15分": `Intl` puts a space between a number and a unit in Han. */
export function tightUnits(text: string): string {
  return text.replace(/(?<=\d) (?=\p{Script=Han})/gu, "");
}
