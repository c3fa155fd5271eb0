import { z } from "zod";
import { emailAddressBound, parseMailbox } from "../core/email-address.ts";
import { parseGoDuration } from "../core/go-duration.ts";
import { fieldErrors } from "../core/http/field-errors.ts";

/**
 * The event: what a service asks for when it wants a mail sent, as JSON on the log (the guide).
 * `decodeEmailEvent` is the one reader and `encodeEmailEvent` the one writer of the wire form.
 */
export type EmailEvent = EventFields & EmailContent;

interface EventFields {
  /** 1–128 of `[A-Za-z0-9._-]`; the mail's identity: the same id is the same mail. */
  readonly messageId: string;
  /** Unix ms. */
  readonly timestamp: number;
  readonly recipient: string;
  /** Unix ms after which the mail is useless; undefined: never. */
  readonly expiresAt: number | undefined;
}

/** The type and the data its template needs. */
export type EmailContent = { readonly [T in EventType]: ContentOf<T> }[EventType];
export type EventType = keyof typeof dataSchemas;
type ContentOf<T extends EventType> = {
  readonly eventType: T;
  readonly data: z.infer<(typeof dataSchemas)[T]>;
};

export const eventBytesMax = 256 * 1024;
const expiresInMaxMs = 7 * 24 * 60 * 60 * 1000;
const noControls = /^\P{Cc}*$/u;

const line = (charsMax: number) =>
  z.string().min(1).max(charsMax).regex(noControls, "must have no control characters");

const expiresIn = z.string().max(64).refine(isExpiresIn, {
  error: "must be a duration of at most 7 days in Go's notation, such as 10m",
});

const httpLink = z
  .string()
  .max(2048)
  .refine(isSafeLink, { error: "must be an https link (http only for localhost)" });

const time = z.string().refine((text) => parseTimestamp(text) !== undefined, {
  error: "must be a time as in RFC 3339, such as 2026-01-31T12:00:00Z",
});

/** The language to write in; one we have no words for falls back, see templates. */
const locale = z
  .string()
  .max(35)
  .regex(/^[A-Za-z]{2,8}(?:-[A-Za-z0-9]{1,8})*$/, "must be a language as in BCP 47, such as es-MX")
  .optional();

/** One row per type; wire names as in the guide. Unknown fields are ignored. */
const dataSchemas = {
  verification_code: z.object({
    code: z.string().regex(/^[A-Za-z0-9-]{4,12}$/, "must be 4 to 12 letters, digits or dashes"),
    expires_in: expiresIn,
    purpose: z.enum(["sign_in", "change_email", "delete_account"]).optional(),
    locale,
  }),
  welcome: z.object({ username: line(100), locale }),
  password_reset: z.object({ reset_link: httpLink, expires_in: expiresIn.optional(), locale }),
  sign_in_notice: z.object({
    signed_in_at: time,
    device: line(100).optional(),
    account_link: httpLink.optional(),
    locale,
  }),
  /** To the old address; the new one as its owner may be told of it: `b***@example.com`. */
  email_change: z.object({
    new_email: line(320),
    changed_at: time,
    account_link: httpLink.optional(),
    locale,
  }),
} as const;

export const eventTypes = Object.keys(dataSchemas) as readonly EventType[];

const envelopeSchema = z.object({
  message_id: z
    .string()
    .regex(/^[A-Za-z0-9._-]{1,128}$/, "must be 1 to 128 of letters, digits, dot, underscore, dash"),
  event_type: line(64),
  timestamp: time,
  recipient: z
    .string()
    .max(400)
    .refine((text) => noControls.test(text) && parseMailbox(text) !== undefined, {
      error: `must be ${emailAddressBound}`,
    }),
  data: z.record(z.string(), z.unknown()),
  expires_at: z
    .string()
    .refine((text) => parseTimestamp(text) !== undefined, {
      error: "must be a time as in RFC 3339",
    })
    .optional(),
});

export type PoisonClass = "malformed" | "invalid_data" | "unknown_type";
export type DecodedEvent =
  | { readonly kind: "event"; readonly event: EmailEvent }
  | {
      readonly kind: "poison";
      readonly class: PoisonClass;
      /** Names the field and the bound; never shows the value. */
      readonly reason: string;
      readonly messageId: string | undefined;
    };

/** Never throws: what is no event is `poison` with its reason. */
export function decodeEmailEvent(value: Uint8Array | null): DecodedEvent {
  if (value === null) return poison("malformed", "the record has no value");
  if (value.byteLength > eventBytesMax) {
    return poison("malformed", `the record is larger than ${eventBytesMax} bytes`);
  }
  const json = parseJson(value);
  if (json === undefined) return poison("malformed", "the value is not JSON in UTF-8");
  const envelope = envelopeSchema.safeParse(json, { reportInput: true });
  if (!envelope.success) return poison("malformed", firstIssue(envelope.error), idOf(json));
  const wire = envelope.data;
  if (!isEventType(wire.event_type)) {
    return poison("unknown_type", `no such event_type: ${wire.event_type}`, wire.message_id);
  }
  const data = dataSchemas[wire.event_type].safeParse(wire.data, { reportInput: true });
  if (!data.success) {
    return poison("invalid_data", `data.${firstIssue(data.error)}`, wire.message_id);
  }
  const timestamp = parseTimestamp(wire.timestamp) ?? 0;
  const event = {
    messageId: wire.message_id,
    eventType: wire.event_type,
    timestamp,
    recipient: parseMailbox(wire.recipient) ?? wire.recipient,
    data: data.data,
    expiresAt: expiryOf(wire.expires_at, data.data, timestamp),
  } as EmailEvent;
  return { kind: "event", event };
}

/** `timestamp` and `expires_at` in RFC 3339; `expires_at` only where `expires_in` does not say it. */
export function encodeEmailEvent(event: EmailEvent): Uint8Array {
  const derived = expiryOf(undefined, event.data, event.timestamp);
  const wire = {
    message_id: event.messageId,
    event_type: event.eventType,
    timestamp: new Date(event.timestamp).toISOString(),
    recipient: event.recipient,
    data: event.data,
    ...(event.expiresAt === undefined || event.expiresAt === derived
      ? {}
      : { expires_at: new Date(event.expiresAt).toISOString() }),
  };
  return new TextEncoder().encode(JSON.stringify(wire));
}

/** The record key: the recipient in lower case, so that one person's mails keep their order. */
export function eventKey(event: EmailEvent): Uint8Array {
  return new TextEncoder().encode(event.recipient.toLowerCase());
}

function poison(poisonClass: PoisonClass, reason: string, messageId?: string): DecodedEvent {
  return { kind: "poison", class: poisonClass, reason, messageId };
}

function parseJson(value: Uint8Array): unknown {
  try {
    return JSON.parse(new TextDecoder("utf-8", { fatal: true }).decode(value));
  } catch {
    return undefined;
  }
}

function firstIssue(error: z.ZodError): string {
  const { field = "", message = "is not valid" } = fieldErrors(error)[0] ?? {};
  return field === "" ? `the event ${message}` : `${field} ${message}`;
}

/** A well-formed id of an event that is otherwise broken, so that its dead letter can be found. */
function idOf(json: unknown): string | undefined {
  const parsed = envelopeSchema.pick({ message_id: true }).safeParse(json);
  return parsed.success ? parsed.data.message_id : undefined;
}

function isEventType(text: string): text is EventType {
  return Object.hasOwn(dataSchemas, text);
}

function expiryOf(expiresAt: string | undefined, data: object, timestamp: number) {
  if (expiresAt !== undefined) return parseTimestamp(expiresAt);
  const text = "expires_in" in data ? data.expires_in : undefined;
  const durationMs = typeof text === "string" ? parseGoDuration(text) : undefined;
  return durationMs === undefined ? undefined : timestamp + durationMs;
}

function isExpiresIn(text: string): boolean {
  const durationMs = parseGoDuration(text);
  return durationMs !== undefined && durationMs <= expiresInMaxMs;
}

function isSafeLink(text: string): boolean {
  if (!noControls.test(text) || !URL.canParse(text)) return false;
  const { protocol, hostname } = new URL(text);
  return protocol === "https:" || (protocol === "http:" && hostname === "localhost");
}

const rfc3339 = /^\d{4}-\d\d-\d\d[Tt ]\d\d:\d\d:\d\d(?:\.\d{1,9})?(?:[Zz]|[+-]\d\d:\d\d)$/;

function parseTimestamp(text: string): number | undefined {
  if (!rfc3339.test(text)) return undefined;
  const ms = Date.parse(
    text
      .toUpperCase()
      .replace(" ", "T")
      .replace(/(\.\d{3})\d+/, "$1"),
  );
  return Number.isFinite(ms) ? ms : undefined;
}
