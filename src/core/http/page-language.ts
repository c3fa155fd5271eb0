// The language in which a person reads our pages: chosen there, or else asked for by the browser.
import { accepts } from "hono/accepts";
import type { Language } from "../languages.ts";
import { findLanguage, isLanguage, isSpoken, languageTags } from "../languages.ts";
import { isSeen } from "./client-address.ts";
import { readCookie, writeCookie } from "./cookies.ts";
import type { HttpContext } from "./problem.ts";

const cookie = { name: "page_language", sameSite: "Lax" } as const;
const cookieSeconds = 365 * 24 * 60 * 60;
const parameter = "lang";

/** The language that this person chose by the links of `LanguageSwitch`. */
export function chosenLanguage(context: HttpContext): Language | undefined {
  return readCookie(context, { ...cookie, secure: true }).find(isLanguage);
}

/** The language of a page: the chosen one, else what the browser prefers, else `fallback`. */
export function pageLanguage(context: HttpContext, fallback: Language): Language {
  const accepted = acceptedLocale(context, languageTags);
  return (
    chosenLanguage(context) ??
    (accepted === undefined ? undefined : findLanguage(accepted)) ??
    fallback
  );
}

/**
 * `?lang=de` at any page: remembers the language for a year, and leads to the page itself. It
 * harms nobody, so it may be a link, which works without scripts and from other sites.
 */
export function switchLanguage(
  context: HttpContext,
  { secure }: { readonly secure: boolean },
): Response | undefined {
  if (!isSeen(context)) return undefined;
  const language = findLanguage(context.req.query(parameter) ?? "");
  if (language === undefined) return undefined;
  writeCookie(context, { ...cookie, secure }, language, cookieSeconds);
  const others = new URLSearchParams(context.req.query());
  others.delete(parameter);
  // As it was sent, not decoded: browsers drop a tab, and "//evil.example" would be another host.
  const path = new URL(context.req.url).pathname.replace(/^(?:\/|\\)+/, "/");
  context.header("Cache-Control", "no-store");
  return context.redirect(others.size === 0 ? path : `${path}?${others}`, 303);
}

/** The link to the page at `path` in another language; "": this page. */
export function languageLink(path: string, language: Language): string {
  return `${path}?${parameter}=${language}`;
}

const tagCharsMax = 35;
const tag = /^[A-Za-z]{2,8}(?:-[A-Za-z0-9]{1,8})*$/;

/**
 * The locale that `Accept-Language` prefers most among those in these languages, as the client
 * spells it. For "de, es-MX;q=0.8, en;q=0.5" and en, es it is "es-MX". Undefined when there is none.
 */
export function acceptedLocale(
  context: HttpContext,
  spoken: readonly string[],
): string | undefined {
  const found = accepts(context, {
    header: "Accept-Language",
    supports: [...spoken],
    default: "",
    match: (wanted) => {
      const ranked = wanted.filter(({ q }) => q > 0).toSorted((a, b) => b.q - a.q);
      const isOurs = (type: string) =>
        type.length <= tagCharsMax && tag.test(type) && isSpoken(type, spoken);
      return ranked.find(({ type }) => isOurs(type))?.type ?? "";
    },
  });
  return found === "" ? undefined : found;
}
