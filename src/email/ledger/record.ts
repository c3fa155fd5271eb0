import { z } from "zod";
import { maskEmail } from "../../core/log.ts";
import type { EventOrigin, LedgerRecord, LedgerState, SmtpEvidence } from "./delivery-ledger.ts";
import { ledgerStates } from "./delivery-ledger.ts";

/** The record as the rules see it. */
export interface StoredRecord extends LedgerRecord {
  /** Grows with each write; writers compare it, so that a late copy of a command does nothing. */
  readonly revision: number;
  /** Deferred, and not claimed since: the same deferral again is a repeat and counts once. */
  readonly waiting: boolean;
}

/** What a call makes of a record: what to write, if anything, and the answer. */
export interface Decision<Outcome> {
  readonly write: StoredRecord | undefined;
  readonly outcome: Outcome;
  /** The decision holds only while the store's time is not later than this; unset: always. */
  readonly notAfter?: number;
}

/** The rules of one kind of call, as a store applies them to many. */
export interface LedgerRules<Call, Outcome> {
  idOf(call: Call): string;
  decide(record: StoredRecord | undefined, call: Call, now: number): Decision<Outcome>;
}

const historyEntriesMax = 20;

/** Of a mail of which only the id is known. */
export function blankRecord(messageId: string): Omit<StoredRecord, "state"> {
  return {
    messageId,
    fence: 0,
    owner: "",
    revision: 0,
    leaseUntil: 0,
    attempts: 0,
    replays: 0,
    resubmissions: 0,
    waiting: false,
    digest: "",
    eventType: "",
    recipient: "",
    requestedAt: undefined,
    origin: undefined,
    sentAt: undefined,
    late: false,
    class: undefined,
    reason: undefined,
    smtp: undefined,
    buried: undefined,
    history: [],
    traceId: undefined,
  };
}

export function answer<Outcome>(outcome: Outcome): Decision<Outcome> {
  return { write: undefined, outcome };
}

type RecordPatch = Partial<Omit<StoredRecord, "messageId" | "state" | "revision">>;

/** The same state with other fields; it leaves no entry in the history. */
export function amend(record: StoredRecord, patch: RecordPatch): StoredRecord {
  return { ...record, ...patch, revision: record.revision + 1 };
}

/** The one function that changes a state: it writes the history too. */
export function transition(
  record: StoredRecord,
  state: LedgerState,
  change: { readonly at: number; readonly note?: string | undefined; readonly patch?: RecordPatch },
): StoredRecord {
  const { at, note, patch } = change;
  const revision = record.revision + 1;
  const fence = patch?.fence ?? record.fence;
  const history = withEntry(patch?.history ?? record.history, { at, state, fence, note });
  return { ...record, ...patch, state, revision, history }; // one copy: it runs three times a mail
}

/** `fence` and `owner` of whoever did it; the record's own when left out. */
export function withHistory(
  record: StoredRecord,
  entry: {
    readonly at: number;
    readonly note: string | undefined;
    readonly fence?: number;
    readonly state?: LedgerState;
    readonly owner?: string;
  },
): StoredRecord {
  const { at, note, owner, fence = record.fence, state = record.state } = entry;
  return { ...record, history: withEntry(record.history, { at, state, fence, note, owner }) };
}

type History = StoredRecord["history"];

function withEntry(
  history: History,
  entry: Omit<History[number], "owner"> & { readonly owner?: string | undefined },
): History {
  const kept = history.length < historyEntriesMax ? history : history.slice(1 - historyEntriesMax);
  return [...kept, { ...entry, owner: entry.owner }];
}

/** Before another owner takes the record over: the history keeps the name of the one before. */
export function rememberOwner(record: StoredRecord): StoredRecord {
  const last = record.history.at(-1);
  if (last === undefined || last.owner !== undefined || last.fence !== record.fence) return record;
  return { ...record, history: [...record.history.slice(0, -1), { ...last, owner: record.owner }] };
}

/**
 * The record as JSON in three parts, so that a store can change it without reading it:
 * - the start, which stays from the claim to the end of a mail;
 * - the history, which only grows;
 * - the tail, which each change writes anew. It begins with the head (state, fence, owner, revision):
 *   a record that still has the head of a write at its place was not written since.
 */
export function encodeRecord(
  record: StoredRecord,
): readonly [start: string, history: string, tail: string] {
  const { requestedAt, origin, traceId } = record;
  const start =
    `{"digest":${quote(record.digest)},"event_type":${quote(record.eventType)}` +
    `,"recipient":${quote(record.recipient)}` +
    (requestedAt === undefined ? "" : `,"requested_at":"${rfc3339(requestedAt)}"`) +
    (origin === undefined ? "" : `,"origin":${encodeOrigin(origin)}`) +
    (traceId === undefined ? "" : `,"trace_id":${quote(traceId)}`) +
    `,"history":[`;
  return [start, record.history.map(encodeEntry).join(","), encodeTail(record)];
}

export function encodeTail(record: StoredRecord): string {
  const { class: classOf, reason, smtp, buried } = record;
  return (
    `${encodeHead(record)}"lease_until":"${rfc3339(record.leaseUntil)}"` +
    `,"attempts":${record.attempts},"replays":${record.replays}` +
    `,"resubmissions":${record.resubmissions}` +
    (record.waiting ? `,"waiting":true` : "") +
    (record.sentAt === undefined ? "" : `,"sent_at":"${rfc3339(record.sentAt)}"`) +
    (record.late ? `,"late":true` : "") +
    (classOf === undefined ? "" : `,"class":${quote(classOf)}`) +
    (reason === undefined ? "" : `,"reason":${quote(reason)}`) +
    (smtp === undefined ? "" : `,"smtp":${encodeSmtp(smtp)}`) +
    (buried === undefined
      ? "}"
      : `,"buried":{"partition":${buried.partition},"offset":${buried.offset}}}`)
  );
}

/** How a tail begins. */
export function encodeHead({ state, fence, owner, revision }: StoredRecord): string {
  return `],"state":"${state}","fence":${fence},"owner":${quote(owner)},"revision":${revision},`;
}

/**
 * The entry that `after` adds to the history of `before`, as text that follows it; "" for none.
 * Undefined when `after` changes more of the start than that.
 */
export function encodeNewEntry(before: StoredRecord, after: StoredRecord): string | undefined {
  const { length } = before.history;
  const isSame =
    before.digest === after.digest &&
    before.eventType === after.eventType &&
    before.recipient === after.recipient &&
    before.requestedAt === after.requestedAt &&
    before.origin === after.origin &&
    before.traceId === after.traceId &&
    before.history[length - 1] === after.history[length - 1];
  if (!isSame || length === 0) return undefined;
  const [entry, more] = after.history.slice(length);
  if (entry === undefined) return "";
  return more === undefined ? `,${encodeEntry(entry)}` : undefined;
}

/**
 * Never throws. A JSON object without `state`, and a text that is no JSON, were written by the older
 * service when it had sent the mail: accepted. An unknown `state` or shape (a newer version's) is
 * ambiguous without resubmission: a person has to decide.
 */
export function decodeRecord(messageId: string, text: string): StoredRecord {
  const json = parseObject(text);
  if (json === undefined || !("state" in json)) return olderRecord(messageId, json);
  const parsed = recordSchema.safeParse(json);
  if (!parsed.success) return unreadable(messageId);
  const wire = parsed.data;
  const { lease_until: leaseUntil, event_type: eventType, sent_at: sentAt, ...further } = wire;
  const { requested_at: requestedAt, trace_id: traceId, smtp, ...same } = further;
  return {
    ...same,
    messageId,
    leaseUntil,
    eventType,
    requestedAt,
    origin: wire.origin,
    sentAt,
    class: wire.class,
    traceId,
    reason: wire.reason,
    buried: wire.buried,
    smtp: smtp && { host: smtp.host, reply: smtp.reply, queueId: smtp.queue_id },
    history: wire.history
      .slice(-historyEntriesMax)
      .map((entry) => ({ ...entry, note: entry.note, owner: entry.owner })),
  };
}

/** As `toISOString`, but five times as fast for times of the same hour. */
export function rfc3339(ms: number): string {
  const second = Math.floor(ms / 1000);
  let start = secondStarts.get(second);
  if (start === undefined) {
    if (secondStarts.size >= 3600) secondStarts.clear();
    start = new Date(second * 1000).toISOString().slice(0, -4);
    secondStarts.set(second, start);
  }
  return `${start}${String(ms - second * 1000).padStart(3, "0")}Z`;
}

/** Unix second → "2026-01-31T12:00:00." */
const secondStarts = new Map<number, string>();

const count = z.int().nonnegative();
const time = z.string().transform((text, context) => {
  const ms = Date.parse(text);
  if (!Number.isNaN(ms)) return ms;
  context.addIssue("must be a time");
  return z.NEVER;
});

const recordSchema = z.object({
  state: z.enum(ledgerStates),
  fence: count,
  owner: z.string(),
  revision: count,
  lease_until: time,
  attempts: count,
  replays: count,
  resubmissions: count,
  waiting: z.boolean().default(false),
  digest: z.string(),
  event_type: z.string(),
  recipient: z.string(),
  requested_at: time.optional(),
  origin: z.object({ topic: z.string(), partition: count, offset: count }).optional(),
  sent_at: time.optional(),
  late: z.boolean().default(false),
  class: z.string().optional(),
  trace_id: z.string().optional(),
  reason: z.string().optional(),
  smtp: z
    .object({ host: z.string(), reply: z.string(), queue_id: z.string().optional() })
    .optional(),
  buried: z.object({ partition: count, offset: count }).optional(),
  history: z.array(
    z.object({
      at: time,
      state: z.enum(ledgerStates),
      fence: count,
      note: z.string().optional(),
      owner: z.string().optional(),
    }),
  ),
});

/** Most texts need no escape, and checking that is cheaper than JSON. */
function quote(text: string): string {
  return needsEscape.test(text) ? JSON.stringify(text) : `"${text}"`;
}

// biome-ignore lint/suspicious/noControlCharactersInRegex: JSON escapes them
const needsEscape = /["\\\u0000-\u001f\ud800-\udfff]/;

function encodeOrigin({ topic, partition, offset }: EventOrigin): string {
  return `{"topic":${quote(topic)},"partition":${partition},"offset":${offset}}`;
}

function encodeSmtp({ host, reply, queueId }: NonNullable<StoredRecord["smtp"]>): string {
  const queue = queueId === undefined ? "" : `,"queue_id":${quote(queueId)}`;
  return `{"host":${quote(host)},"reply":${quote(reply)}${queue}}`;
}

function encodeEntry(entry: StoredRecord["history"][number]): string {
  const note = entry.note === undefined ? "" : `,"note":${quote(entry.note)}`;
  const owner = entry.owner === undefined ? "" : `,"owner":${quote(entry.owner)}`;
  const { state, fence } = entry;
  return `{"at":"${rfc3339(entry.at)}","state":"${state}","fence":${fence}${note}${owner}}`;
}

function parseObject(text: string): object | undefined {
  try {
    const json: unknown = JSON.parse(text);
    return typeof json === "object" && json !== null ? json : undefined;
  } catch {
    return undefined;
  }
}

/** Lenient: whatever the older service wrote, it wrote because it had sent the mail. */
const olderSchema = z.object({
  sent_at: z
    .union([time, z.number().transform(unixMs)])
    .optional()
    .catch(undefined),
  recipient: z.string().transform(maskEmail).catch(""),
  event_type: z.string().catch(""),
});

function olderRecord(messageId: string, json: object | undefined): StoredRecord {
  const { sent_at: sentAt, recipient, event_type: eventType } = olderSchema.parse({ ...json });
  return { ...blankRecord(messageId), state: "accepted", sentAt, recipient, eventType };
}

/** A number in seconds or in milliseconds: seconds stay below this until the year 5138. */
function unixMs(value: number): number {
  return value < 100_000_000_000 ? value * 1000 : value;
}

function unreadable(messageId: string): StoredRecord {
  const reason = "this version cannot read the record";
  return { ...blankRecord(messageId), state: "ambiguous", resubmissions: 1, reason };
}

const replyCharsMax = 500;
const noteCharsMax = 200;
const address = /[^\s<>"'(),;:]+@[^\s<>"'(),;:]+/g;

/** Foreign text as the ledger keeps it: one line, no full address, at most 500 characters. */
export function boundedText(text: string): string {
  return clean(text, replyCharsMax);
}

/** As `boundedText`, for a history entry: at most 200 characters. */
export function boundedNote(text: string): string {
  return clean(text, noteCharsMax);
}

export function boundedEvidence(smtp: SmtpEvidence): SmtpEvidence {
  const { host, reply, queueId } = smtp;
  return {
    host: boundedNote(host),
    reply: boundedText(reply),
    queueId: queueId === undefined ? undefined : boundedNote(queueId),
  };
}

function clean(text: string, charsMax: number): string {
  return text
    .slice(0, 4 * charsMax)
    .replace(/\p{Cc}+/gu, " ")
    .replace(address, maskEmail)
    .slice(0, charsMax)
    .toWellFormed();
}
