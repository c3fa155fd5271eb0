// What a mail type declares, and the fields that its data is made of.
import type { JSX } from "hono/jsx/jsx-runtime";
import { z } from "zod";
import { parseGoDuration } from "../../core/time.ts";

/**
 * The field types of mail data. Accepted values have no control characters, so that none can start
 * a new line in a header or a text; error messages name the bound, never the value.
 */

const expiresInMaxMs = 7 * 24 * 60 * 60 * 1000;
/** `\P{Cc}` for any text: a class without properties is tested several times as fast. */
export const noControls = /^[ -~\u00a0-\uffff]*$/;
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
  error: "must be an https link without blanks or a user name (http only for localhost)",
});

const timeText = text(
  "must be a time as text in RFC 3339, such as 2026-01-31T12:00:00Z, and not a number or an array (Jackson: disable WRITE_DATES_AS_TIMESTAMPS)",
);

/** A time that stays the text it is. */
export const time = timeText.refine((given) => parseTimestamp(given) !== undefined, {
  error: ({ input }) => timeProblem(String(input)),
});

/** A time as Unix ms. */
export const timestamp = time.transform((given) => parseTimestamp(given) ?? 0);

/**
 * The language of the mail. It never invalidates a mail: an unsupported or malformed one falls back
 * (see templates).
 */
const locale = z.unknown().transform(parseLocale);

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

/** What serialisers write, in UTC, of a day that exists in every year. */
const usualTime =
  /^[12]\d{3}-(?:(?:0[1-9]|1[0-2])-(?:0[1-9]|1\d|2[0-8])|(?:0[13-9]|1[0-2])-(?:29|30)|(?:0[13578]|1[02])-31)T(?:[01]\d|2[0-3]):[0-5]\d:[0-5]\d(?:\.\d{3,9})?Z$/;

/**
 * Unix ms of a time in RFC 3339, all of its section 5.6: lower-case letters, a space for the T, any
 * number of fractional digits (truncated to milliseconds), `-00:00`, and a leap second where
 * possible: the last second of a month in UTC, read as the one after it. Undefined for any other
 * text, and for a day or time that does not exist.
 */
export function parseTimestamp(given: string): number | undefined {
  if (usualTime.test(given)) return parseUsualTime(given);
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

/** Date.parse takes three times as long. */
function parseUsualTime(given: string): number {
  const two = (at: number) => given.charCodeAt(at) * 10 + given.charCodeAt(at + 1) - 11 * 48;
  const year = two(0) * 100 + two(2);
  const milliseconds = given.length > 20 ? two(20) * 10 + given.charCodeAt(22) - 48 : 0;
  return Date.UTC(year, two(5) - 1, two(8), two(11), two(14), two(17), milliseconds);
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

/**
 * The host right after the slashes: `https://bank.example@evil.example` leads to evil.example, and
 * programs disagree about `https://bank.example\@evil.example`.
 */
const linkShape = /^https?:\/\/[^\s\p{Cc}\p{Cs}/?#@\\]+(?:[/?#][^\s\p{Cc}\p{Cs}]*)?$/iu;

function isSafeLink(link: string): boolean {
  if (!linkShape.test(link) || !URL.canParse(link)) return false;
  const { protocol, hostname } = new URL(link);
  const isLocal = hostname === "localhost" || hostname === "127.0.0.1";
  return protocol === "https:" || (protocol === "http:" && isLocal);
}

/**
 * One type of mail: the data that its event must contain, and its content. `mail-types.tsx` has one
 * for each event type.
 *
 * `content` does not run for every mail. It runs once per language, with markers in place of the
 * values, and the renderer keeps the result; a mail then only fills in what `view` returns. So
 * `content` may check whether a value is present and place it, but not compute with it: that
 * belongs in `values`. All functions are pure: no clock, no I/O.
 */
export interface MailType<
  Data extends z.ZodObject = z.ZodObject,
  Messages = unknown,
  Kind extends MailKind = MailKind,
> {
  readonly kind: Kind;
  readonly data: Data;
  /** Variants whose texts differ in more than their values; the first is the default. */
  readonly variants: readonly [string, ...string[]];
  /** Values and links that every template must show, if the mail has them: it is useless without. */
  readonly essential: readonly string[];
  /** Sample data by name, for the preview and the golden files; the first is the usual case. */
  samples(now: number): Readonly<Record<string, z.infer<Data>>>;
  view(event: ViewedEvent<z.infer<Data>>, format: TimeFormat): MailView;
  content(parts: ContentParts<Messages>): MailContent;
}

/**
 * Transactional: requested by the recipient or about the account's security, always sent. Optional:
 * the recipient may decline it.
 */
type MailKind = "transactional" | "optional";

/** The input of a view. */
interface ViewedEvent<Data> {
  readonly data: Data;
  /** Unix ms. */
  readonly expiresAt: number | undefined;
  /** Unix ms of sending. */
  readonly now: number;
}

/** How a language writes durations and times. */
export interface TimeFormat {
  /** "10 minutes": the time left at sending. */
  remaining(expiresAt: number, now: number): string;
  /** "31 January 2026 at 12:00 UTC", from RFC 3339. */
  time(timestamp: string): string;
}

export type Texts = Readonly<Record<string, string | undefined>>;

/** The parts that differ from mail to mail. */
export interface MailView {
  readonly variant: string;
  /** Texts; undefined if the event has none. */
  readonly values: Texts;
  readonly links: Texts;
}

export interface ContentParts<Messages, Values = Texts, Links = Texts, Variant = string> {
  readonly messages: Messages;
  readonly appName: string;
  readonly values: Values;
  readonly links: Links;
  readonly variant: Variant;
  /** EMAIL_CODE_IN_SUBJECT. */
  readonly codeInSubject: boolean;
}

interface MailContent {
  readonly subject: string;
  /** The preheader: the line that mail lists show after the subject. */
  readonly preheader: string;
  readonly body: JSX.Element;
}

interface MailSpec<
  Data extends z.ZodObject,
  Messages,
  Kind extends MailKind,
  Variant extends string,
  Values extends Texts,
  Links extends Texts,
> {
  readonly kind: Kind;
  readonly data: Data;
  readonly variants?: readonly [Variant, ...Variant[]];
  readonly essential?: readonly string[];
  readonly samples: (now: number) => Readonly<Record<string, z.infer<Data>>>;
  readonly variant?: (data: z.infer<Data>) => Variant;
  readonly values: (event: ViewedEvent<z.infer<Data>>, format: TimeFormat) => Values;
  readonly links?: (data: z.infer<Data>) => Links;
  readonly content: (parts: ContentParts<Messages, Values, Links, Variant>) => MailContent;
}

/** The schema of an event's data. Every event may also name the language to write in. */
export function mailData<Shape extends z.ZodRawShape>(shape: Shape) {
  return z.object({ ...shape, locale: locale.optional() });
}

/**
 * `defineMail<WelcomeMessages>()({…})`: the messages that every language must have are named first,
 * the other types are inferred.
 */
export function defineMail<Messages>() {
  return <
    Data extends z.ZodObject,
    Kind extends MailKind,
    Values extends Texts,
    Variant extends string = "usual",
    Links extends Texts = Texts,
  >(
    spec: MailSpec<Data, Messages, Kind, Variant, Values, Links>,
  ): MailType<Data, Messages, Kind> => {
    const variants = spec.variants ?? (["usual"] as const);
    return {
      kind: spec.kind,
      data: spec.data,
      variants,
      essential: spec.essential ?? [],
      samples: spec.samples,
      view: (event, format) => ({
        variant: spec.variant?.(event.data) ?? variants[0],
        values: spec.values(event, format),
        links: spec.links?.(event.data) ?? {},
      }),
      content: (parts) => spec.content(parts as ContentParts<Messages, Values, Links, Variant>),
    };
  };
}
