import { z } from "zod";
import { parseGoDuration } from "../../core/time.ts";

/**
 * The field types of mail data. Accepted values have no control characters, so that none can start
 * a new line in a header or a text; error messages name the bound, never the value.
 */

const expiresInMaxMs = 7 * 24 * 60 * 60 * 1000;
const noControls = /^\P{Cc}*$/u;
const textCharsMax = 64;

/**
 * In a name that was truncated inside an emoji, the broken half becomes U+FFFD; the mail is still
 * sent.
 */
export const line = (charsMax: number) =>
  z
    .string()
    .min(1)
    .max(charsMax)
    .regex(noControls, "must have no control characters")
    .overwrite((text) => text.toWellFormed());

/** For fields that serialisers often write in another form by default. */
const text = (wanted: string) =>
  z.string({ error: ({ input }) => (input === undefined ? undefined : wanted) });

export const expiresIn = text(
  "must be a duration as text in Go's notation, such as 10m, and not a number or an object",
).refine(isExpiresIn, {
  error:
    "must be a duration of at most 7 days in Go's notation, such as 10m (not PT10M, not 00:10:00)",
});

export const httpLink = z.string().max(2048).refine(isSafeLink, {
  error: "must be an https link without blanks (http only for localhost)",
});

const timeText = text(
  "must be a time as text in RFC 3339, such as 2026-01-31T12:00:00Z, and not a number or an array (Jackson: disable WRITE_DATES_AS_TIMESTAMPS)",
);

/** A time that stays the text it is. */
export const time = timeText.superRefine((given, context) => {
  if (parseTimestamp(given) === undefined) context.addIssue(timeProblem(given));
});

/** A time as Unix ms. */
export const timestamp = timeText.transform((given, context) => {
  const ms = parseTimestamp(given);
  if (ms !== undefined) return ms;
  context.addIssue(timeProblem(given));
  return z.NEVER;
});

/**
 * The language of the mail. It never invalidates a mail: an unsupported or malformed one falls back
 * (see templates).
 */
export const locale = z.unknown().transform(parseLocale);

const localeCharsMax = 35; // RFC 5646, 4.4.1
const languageTag = /^[A-Za-z]{2,8}(?:-[A-Za-z0-9]{1,8})*$/;

/**
 * A BCP 47 language tag, as given, after converting the notations of other systems: `en_US` (Java,
 * POSIX), `en_US.UTF-8`, `ca_ES@valencia`, `zh_TW_#Hant`. Undefined for anything else.
 */
export function parseLocale(given: unknown): string | undefined {
  if (typeof given !== "string" || given.length > localeCharsMax) return undefined;
  const tag = given
    .trim()
    .replace(/[.@].*$/s, "")
    .replace(/_?_#.*$/s, "")
    .replaceAll("_", "-");
  return languageTag.test(tag) ? tag : undefined;
}

const rfc3339 =
  /^(\d{4})-(\d\d)-(\d\d)[Tt ](\d\d):(\d\d):(\d\d)(?:\.(\d+))?(?:[Zz]|([+-])(\d\d):(\d\d))$/;

/**
 * Unix ms of a time in RFC 3339, all of its section 5.6: lower-case letters, a space for the T, any
 * number of fractional digits (truncated to milliseconds), `-00:00`, and a leap second where
 * possible: the last second of a month in UTC, read as the one after it. Undefined for any other
 * text, and for a day or time that does not exist.
 */
export function parseTimestamp(given: string): number | undefined {
  const match = given.length > textCharsMax ? null : rfc3339.exec(given);
  if (match === null) return undefined;
  const part = (at: number) => Number(match[at] ?? 0);
  const [year, month, day] = [part(1), part(2), part(3)];
  const [hour, minute, second] = [part(4), part(5), part(6)];
  const [offsetHours, offsetMinutes] = [part(9), part(10)];
  if (hour > 23 || minute > 59 || second > 60 || offsetHours > 23 || offsetMinutes > 59) {
    return undefined;
  }
  const date = new Date(0);
  date.setUTCFullYear(year, month - 1, day); // Date.UTC takes the years 0 to 99 for 1900 and later
  if (date.getUTCMonth() !== month - 1 || date.getUTCDate() !== day) return undefined;
  const milliseconds = Number((match[7] ?? "").slice(0, 3).padEnd(3, "0"));
  const local = date.setUTCHours(hour, minute, second, milliseconds);
  const offsetMs = (offsetHours * 60 + offsetMinutes) * 60_000;
  const timestamp = match[8] === "-" ? local + offsetMs : local - offsetMs;
  return second < 60 || startsMonth(timestamp) ? timestamp : undefined;
}

/** The zero values of Go's and .NET's time types. */
export function isUnsetTime(given: unknown): boolean {
  return typeof given === "string" && /^0001-01-01T00:00:00(?:\.0+)?(?:Z|\+00:00)?$/.test(given);
}

/** Within the first second of a month in UTC, to which a leap second is mapped. */
function startsMonth(timestamp: number): boolean {
  return /-01T00:00:00\.\d+Z$/.test(new Date(timestamp).toISOString());
}

/** The problem of a text that is not a time in RFC 3339, and the fix. */
function timeProblem(given: string): string {
  const start = given.slice(0, textCharsMax);
  if (rfc3339.test(start)) return "must be a day and a time that exist";
  const dateTime = /^\d{4}-\d\d-\d\d[Tt ]\d\d:\d\d(?::\d\d(?:[.,]\d+)?)?/;
  const zone = start.replace(dateTime, "");
  if (zone === "" && start !== "") {
    return "must have a zone: end it with Z or an offset such as +01:00 (Java: an Instant or OffsetDateTime and not a LocalDateTime; Python: datetime.now(timezone.utc).isoformat())";
  }
  if (zone !== start && /^[+-]\d\d(?:\d\d)?$/.test(zone)) {
    return "must have its offset as hours, colon, minutes, such as +01:00";
  }
  return "must be a time as in RFC 3339, such as 2026-01-31T12:00:00Z";
}

function isExpiresIn(given: string): boolean {
  const durationMs = parseGoDuration(given);
  return durationMs !== undefined && durationMs <= expiresInMaxMs;
}

function isSafeLink(link: string): boolean {
  if (/[\s\p{Cc}\p{Cs}]/u.test(link) || !URL.canParse(link)) return false;
  const { protocol, hostname } = new URL(link);
  return protocol === "https:" || (protocol === "http:" && hostname === "localhost");
}
