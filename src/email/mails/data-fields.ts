import { z } from "zod";
import { parseGoDuration } from "../../core/go-duration.ts";

/**
 * What the data of mails is made of. Nothing that passes has a control character, so that no value
 * can begin a line of its own in a header or a text; messages name the bound and not the value.
 */

const expiresInMaxMs = 7 * 24 * 60 * 60 * 1000;
const noControls = /^\P{Cc}*$/u;

export const line = (charsMax: number) =>
  z.string().min(1).max(charsMax).regex(noControls, "must have no control characters");

export const expiresIn = z.string().max(64).refine(isExpiresIn, {
  error: "must be a duration of at most 7 days in Go's notation, such as 10m",
});

export const httpLink = z.string().max(2048).refine(isSafeLink, {
  error: "must be an https link without blanks (http only for localhost)",
});

export const time = z.string().refine((text) => parseTimestamp(text) !== undefined, {
  error: "must be a time as in RFC 3339, such as 2026-01-31T12:00:00Z",
});

/** The language to write in; one we have no words for falls back, see templates. */
export const locale = z
  .string()
  .max(35)
  .regex(/^[A-Za-z]{2,8}(?:-[A-Za-z0-9]{1,8})*$/, "must be a language as in BCP 47, such as es-MX");

const rfc3339 = /^\d{4}-\d\d-\d\d[Tt ]\d\d:\d\d:\d\d(?:\.\d{1,9})?(?:[Zz]|[+-]\d\d:\d\d)$/;

/** Unix ms of a time in RFC 3339; undefined for any other text. */
export function parseTimestamp(text: string): number | undefined {
  if (!rfc3339.test(text)) return undefined;
  const ms = Date.parse(
    text
      .toUpperCase()
      .replace(" ", "T")
      .replace(/(\.\d{3})\d+/, "$1"),
  );
  return Number.isFinite(ms) ? ms : undefined;
}

function isExpiresIn(text: string): boolean {
  const durationMs = parseGoDuration(text);
  return durationMs !== undefined && durationMs <= expiresInMaxMs;
}

function isSafeLink(text: string): boolean {
  if (/[\s\p{Cc}]/u.test(text) || !URL.canParse(text)) return false;
  const { protocol, hostname } = new URL(text);
  return protocol === "https:" || (protocol === "http:" && hostname === "localhost");
}
