// Addresses as people write them: a domain in its own script, unless that would deceive.
import { domainToASCII, domainToUnicode } from "node:url";

/**
 * The address with its domain in Unicode: `ana@xn--bcher-kva.de` → `ana@bücher.de`. A domain keeps
 * its ASCII form when one of its labels could be mistaken for another: it mixes scripts (UTS #39,
 * "highly restrictive", but without Latin beside "ノ", "丶" or "一", which look like its signs), is written in
 * letters that all look Latin, or has characters that nobody types. For showing, never for comparing.
 */
export function shownAddress(address: string): string {
  if (!address.includes("xn--")) return address;
  const at = address.lastIndexOf("@") + 1;
  const domain = address.slice(at);
  const shown = domainToUnicode(domain);
  const isFaithful = shown !== "" && domainToASCII(shown) === domain.toLowerCase();
  return isFaithful && isClear(shown) ? address.slice(0, at) + shown : address;
}

function isClear(domain: string): boolean {
  const labels = domain.split(".");
  const isAsciiOnly = /^[a-z0-9-]+$/;
  const topLevel = labels.at(-1) ?? "";
  return labels.every((label) => {
    if (isAsciiOnly.test(label)) return true;
    if (!ofOneWriting.some((writing) => writing.test(label))) return false;
    return !isAsciiOnly.test(topLevel) || !looksLatin.test(label);
  });
}

/** The letters of Latin alphabets of today, without the dotless i. */
const latin =
  "a-z\\u00df-\\u00f6\\u00f8-\\u0130\\u0132-\\u0137\\u0139-\\u017e\\u0218-\\u021b\\u1e00-\\u1eff";
const digits = "0-9-";
const han = "\\p{Script=Han}\\u3005\\u3007";

/** What the characters of a label may be, one of these for all of them. */
const ofOneWriting = [
  latin,
  `${han}\\p{Script=Hiragana}\\p{Script=Katakana}\\u30fc`,
  `${han}\\p{Script=Bopomofo}`,
  `${han}\\p{Script=Hangul}`,
  ...[
    "Cyrillic",
    "Greek",
    "Arabic",
    "Hebrew",
    "Devanagari",
    "Bengali",
    "Gujarati",
    "Gurmukhi",
    "Kannada",
    "Malayalam",
    "Sinhala",
    "Tamil",
    "Telugu",
    "Thai",
    "Lao",
    "Khmer",
    "Myanmar",
    "Georgian",
    "Armenian",
    "Ethiopic",
  ].map((script) => `\\p{Script=${script}}`),
].map((letters) => new RegExp(`^(?:(?=[\\p{L}\\p{M}0-9-])[${letters}${digits}])+$`, "u"));

/** Letters of other scripts that a Latin reader takes for Latin: "раураӏ". */
const looksLatin = /^[0-9\-асԁеһіјӏорԛѕԝхуъьҽпгѵѡηικνορτυωճուօսցհ]+$/u;
