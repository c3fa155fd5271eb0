import { z } from "zod";
import { addressProblem, canonicalAddress, parseMailbox } from "../core/email-address.ts";
import { fieldErrors } from "../core/http/problem.ts";
import type { TraceContext } from "../core/log.ts";
import {
  createChildContext,
  currentTraceContext,
  formatTraceparent,
  parseTraceparent,
} from "../core/log.ts";
import { sha256Hex } from "../core/secret.ts";
import { parseGoDuration } from "../core/time.ts";
import type { RecordHeaders, TopicSpec } from "./event-log/event-log.ts";
import { isUnsetTime, line, noControls, timestamp } from "./mails/mail-type.ts";
import type { DataOf, EventType, OptionalType } from "./mails/mail-types.tsx";
import { eventTypes, isEventType, mailTypes } from "./mails/mail-types.tsx";
import { quickReaderOf } from "./mails/quick-reader.ts";

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
type EmailContent = {
  readonly [T in EventType]: { readonly eventType: T; readonly data: DataOf<T> };
}[EventType];

const encoder = new TextEncoder();
const decoder = new TextDecoder("utf-8", { fatal: true });

export const eventBytesMax = 256 * 1024;
/** The shape of a `message_id`, for routes too. */
export const messageIdPattern = "[A-Za-z0-9._-]{1,128}";
const messageIdShape = new RegExp(`^${messageIdPattern}$`);

const envelopeSchema = z.object({
  message_id: z
    .string()
    .regex(messageIdShape, "must be 1 to 128 of letters, digits, dot, underscore, dash"),
  event_type: line(64),
  timestamp,
  recipient: z
    .string()
    .max(400)
    .regex(noControls, "must have no control characters")
    .refine((text) => parseMailbox(text) !== undefined, {
      error: ({ input }) => addressProblem(String(input)),
    })
    .transform((text) => parseMailbox(text) ?? ""),
  data: z.record(z.string(), z.unknown()),
  expires_at: timestamp.optional(),
});

export function isMessageId(text: string): boolean {
  return messageIdShape.test(text);
}

type PoisonClass = "malformed" | "invalid_data" | "unknown_type";
type DecodedEvent =
  | { readonly kind: "event"; readonly event: EmailEvent }
  | {
      readonly kind: "poison";
      readonly class: PoisonClass;
      /** Names the field and the bound; never shows the value. */
      readonly reason: string;
      readonly messageId: string | undefined;
    };

/** Never throws: whatever is not an event is `poison`, with its reason. */
export function decodeEmailEvent(value: Uint8Array | null): DecodedEvent {
  if (value === null) return poison("malformed", "the record has no value");
  if (value.byteLength > eventBytesMax) {
    return poison("malformed", `the record is larger than ${eventBytesMax / 1024} KiB`);
  }
  const parsed = parseJson(value);
  if (parsed.kind === "not_json") return poison("malformed", parsed.reason);
  const event = readQuickly(parsed.json);
  return event === undefined ? readBySchema(parsed.json) : { kind: "event", event };
}

const readEnvelope = quickReaderOf(envelopeSchema);
const readData = new Map<string, (json: unknown) => object | undefined>(
  eventTypes.map((type) => [type, quickReaderOf(mailTypes[type].data)]),
);

/** The event of the usual JSON; undefined where `readBySchema` has to decide. */
export function readQuickly(json: unknown): EmailEvent | undefined {
  const wire = readEnvelope(json);
  const data = wire && readData.get(wire.event_type)?.(wire.data);
  return wire && data && eventOf(wire, data);
}

/** Whatever zod makes of the JSON: an event, or what is wrong with it. */
export function readBySchema(given: unknown): DecodedEvent {
  const json = withoutUnset(given, envelopeSchema);
  const envelope = envelopeSchema.safeParse(json, { reportInput: true });
  if (!envelope.success) return poison("malformed", firstIssue(envelope.error), idOf(json));
  const wire = envelope.data;
  if (!isEventType(wire.event_type)) {
    return poison("unknown_type", `no such event_type: ${wire.event_type}`, wire.message_id);
  }
  const schema = mailTypes[wire.event_type].data;
  const data = schema.safeParse(withoutUnset(wire.data, schema), { reportInput: true });
  if (!data.success) {
    return poison("invalid_data", `data.${firstIssue(data.error)}`, wire.message_id);
  }
  return { kind: "event", event: eventOf(wire, data.data) };
}

function eventOf(wire: z.output<typeof envelopeSchema>, data: object): EmailEvent {
  return {
    messageId: wire.message_id,
    eventType: wire.event_type,
    timestamp: wire.timestamp,
    recipient: wire.recipient,
    data,
    expiresAt: wire.expires_at ?? expiryOf(data, wire.timestamp),
  } as EmailEvent;
}

export function encodeEmailEvent(event: EmailEvent): Uint8Array {
  return encoder.encode(JSON.stringify(wireOf(event)));
}

/** What JSON says of it: times in RFC 3339, `expires_at` only where `expires_in` does not give it. */
export function wireOf(event: EmailEvent): object {
  const derived = expiryOf(event.data, event.timestamp);
  return {
    message_id: event.messageId,
    event_type: event.eventType,
    timestamp: new Date(event.timestamp).toISOString(),
    recipient: event.recipient,
    data: event.data,
    ...(event.expiresAt === undefined || event.expiresAt === derived
      ? {}
      : { expires_at: new Date(event.expiresAt).toISOString() }),
  };
}

/** The record key: the recipient in canonical form, so that one person's mails keep their order. */
export function eventKey(event: EmailEvent): Uint8Array {
  return encoder.encode(canonicalAddress(event.recipient));
}

function poison(poisonClass: PoisonClass, reason: string, messageId?: string): DecodedEvent {
  return { kind: "poison", class: poisonClass, reason, messageId };
}

type ParsedJson =
  | { readonly kind: "json"; readonly json: unknown }
  | { readonly kind: "not_json"; readonly reason: string };

/** A byte order mark and blanks around it do no harm; of a repeated key, the last one counts. */
function parseJson(value: Uint8Array): ParsedJson {
  let text: string;
  try {
    text = decoder.decode(value);
  } catch {
    return { kind: "not_json", reason: "the value is not text in UTF-8" };
  }
  try {
    const json: unknown = JSON.parse(text);
    if (typeof json !== "string") return { kind: "json", json };
    return {
      kind: "not_json",
      reason: "the value is a JSON text and not an object: was it serialised twice?",
    };
  } catch {
    return { kind: "not_json", reason: notJson(text) };
  }
}

/** Names what serialisers do by mistake; it quotes nothing of the value but a field's name. */
function notJson(text: string): string {
  if (text.startsWith("\0")) {
    return "the value is not JSON: it begins with a zero byte, as a schema registry's serialiser writes it; publish plain JSON";
  }
  if (text.trim() === "") return "the value is not JSON: it is empty";
  const [, field, number] = /"(\w{1,64})"\s*:\s*(NaN|-?Infinity)\b/.exec(text) ?? [];
  if (number !== undefined)
    return `the value is not JSON: ${field} is ${number}, which JSON does not have`;
  return "the value is not JSON in UTF-8";
}

/**
 * Serialisers write null for what is not there (Jackson does), so null means just that. So do, in an
 * optional field, the empty text and the year 1, which are Go's (and .NET's) unset values: no optional
 * field has a use for them, and none is worth losing a mail.
 */
function withoutUnset(json: unknown, { shape }: z.ZodObject): unknown {
  if (typeof json !== "object" || json === null || Array.isArray(json)) return json;
  const isAbsent = ([name, value]: readonly [string, unknown]) =>
    value === null ||
    ((value === "" || isUnsetTime(value)) &&
      Object.hasOwn(shape, name) &&
      shape[name] instanceof z.ZodOptional);
  const entries = Object.entries(json);
  const present = entries.filter((entry) => !isAbsent(entry));
  return present.length === entries.length ? json : Object.fromEntries(present);
}

function firstIssue(error: z.ZodError): string {
  const { field = "", message = "is not valid" } = fieldErrors(error)[0] ?? {};
  return field === "" ? `the event ${message}` : `${field} ${message}`;
}

/** The id of an event that is otherwise broken, so that its dead letter can be found. */
function idOf(json: unknown): string | undefined {
  const parsed = envelopeSchema.pick({ message_id: true }).safeParse(json);
  return parsed.success ? parsed.data.message_id : undefined;
}

/** By the `expires_in` of its data, where it has one. */
function expiryOf(data: object, requestedAt: number): number | undefined {
  const text = "expires_in" in data ? data.expires_in : undefined;
  const durationMs = typeof text === "string" ? parseGoDuration(text) : undefined;
  return durationMs === undefined ? undefined : requestedAt + durationMs;
}

/**
 * The name of a recipient in preferences, suppressions and links: 32 hex digits that do not show the
 * address. Not keyed with a secret, because a preference must outlive a change of EMAIL_SECRET; so
 * anyone who guesses an address can check whether a key belongs to it.
 */
export function recipientKey(address: string): string {
  return recipientKeyOf(canonicalAddress(address));
}

/** Of an address exactly as it is: earlier releases had other forms. */
export function recipientKeyOf(address: string): string {
  return sha256Hex(`instant-recipient:${address}`).slice(0, 32);
}

export const recipientKeyShape = /^[0-9a-f]{32}$/;

export const optionalTypes = eventTypes.filter(isOptionalType);

export function isOptionalType(type: string): type is OptionalType {
  return isEventType(type) && mailTypes[type].kind === "optional";
}

/** The W3C header, as tracing libraries put it on Kafka records. */
const traceHeader = "traceparent";
const traceHeaderBytesMax = 512;
/** Set by a replay; absent on an event that was never replayed. */
export const replayCountHeader = "x-instant-replay-count";

/** The headers that pass on the trace context of what runs now, if there is one. */
export function traceContextHeaders(): RecordHeaders {
  const context = currentTraceContext();
  if (context === undefined) return [];
  return [[traceHeader, new TextEncoder().encode(formatTraceparent(context))]];
}

/** The next step of the trace that a record came with, if it came with one. */
export function readTraceContext(headers: RecordHeaders): TraceContext | undefined {
  const bytes = findHeader(headers, traceHeader);
  if (bytes === undefined || bytes.length > traceHeaderBytesMax) return undefined;
  const given = parseTraceparent(new TextDecoder().decode(bytes));
  return given === undefined ? undefined : createChildContext(given);
}

/** How often a record was replayed: 0 without the header, or when it is no number. */
export function replayCountOf(headers: RecordHeaders): number {
  const bytes = findHeader(headers, replayCountHeader);
  const count = bytes === undefined ? 0 : Number(new TextDecoder().decode(bytes));
  return Number.isSafeInteger(count) && count > 0 ? count : 0;
}

/** The newest value of a name, as later headers override earlier ones. */
function findHeader(headers: RecordHeaders, name: string): Uint8Array | undefined {
  return headers.findLast(([other]) => other === name)?.[1] ?? undefined;
}

const dayMs = 24 * 60 * 60 * 1000;

/** Kafka's own default; it leaves room for an event of 256 KiB and for micro-batches. */
export const eventRecordBytesMax = 1_048_588;
/** A dead letter is its record plus headers that say why. */
const deadLetterRecordBytesMax = eventRecordBytesMax + 64 * 1024;

interface TopicSettings {
  readonly events: string;
  readonly deadLetters: string;
  readonly partitions: number;
  readonly replicationFactor: number;
}

/** The two topics: events for 7 days in several partitions, dead letters for 30 days in one. */
export function topicSpecs(settings: TopicSettings): readonly [TopicSpec, TopicSpec] {
  const { replicationFactor } = settings;
  return [
    {
      topic: settings.events,
      partitions: settings.partitions,
      replicationFactor,
      retentionMs: 7 * dayMs,
      recordBytesMax: eventRecordBytesMax,
    },
    {
      topic: settings.deadLetters,
      partitions: 1,
      replicationFactor,
      retentionMs: 30 * dayMs,
      recordBytesMax: deadLetterRecordBytesMax,
    },
  ];
}
