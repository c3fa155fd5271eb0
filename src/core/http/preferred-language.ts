import { accepts } from "hono/accepts";
import type { HttpContext } from "./environment.ts";

const tagCharsMax = 35;
const tag = /^[A-Za-z]{2,8}(?:-[A-Za-z0-9]{1,8})*$/;

/**
 * The language of `Accept-Language` that is wanted most among those of `languages` (in lower case),
 * as the client writes it: for "de, es-MX;q=0.8, en;q=0.5" and en, es it is "es-MX". A language is
 * known by its tag or by any shorter form of it (RFC 4647, 3.4). Undefined when none fits.
 */
export function preferredLanguage(
  context: HttpContext,
  languages: readonly string[],
): string | undefined {
  const found = accepts(context, {
    header: "Accept-Language",
    supports: [...languages],
    default: "",
    match: (wanted) => {
      const ranked = wanted.filter(({ q }) => q > 0).toSorted((a, b) => b.q - a.q);
      return ranked.find(({ type }) => isSpoken(type, languages))?.type ?? "";
    },
  });
  return found === "" ? undefined : found;
}

function isSpoken(wanted: string, languages: readonly string[]): boolean {
  if (wanted.length > tagCharsMax || !tag.test(wanted)) return false;
  const parts = wanted.toLowerCase().split("-");
  return parts.some((_part, dropped) => {
    return languages.includes(parts.slice(0, parts.length - dropped).join("-"));
  });
}
