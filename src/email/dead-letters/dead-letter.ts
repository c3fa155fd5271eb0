import { canonicalAddress } from "../../core/email-address.ts";
import { isInstantError } from "../../core/errors.ts";
import { maskEmail } from "../../core/log.ts";
import type { DeadLetterClass } from "../delivery/outcome.ts";
import { deadLetterClasses } from "../delivery/outcome.ts";
import { decodeEmailEvent, replayCountHeader, replayCountOf } from "../event.ts";
import type {
  EventLog,
  LogRecord,
  OutgoingRecord,
  RecordHeaders,
  RecordPosition,
} from "../event-log/event-log.ts";
import { eventLogErrors } from "../event-log/event-log.ts";

/**
 * A dead letter: the record as it was (key, value, headers), plus where it came from and why it was
 * given up; how it is written, read and found. Origin and exception headers follow Spring Kafka's
 * DeadLetterPublishingRecoverer: texts in UTF-8, the partition int32 and offset and timestamp int64
 * in big-endian; ours (`x-instant-…`) are texts. At least once: the original topic, partition and
 * offset identify a repeat.
 *
 * A record that is too large, or of a batch that cannot be read, is not kept whole: the value is the
 * first 64 KiB of what could be read, and `x-instant-value-bytes|sha256` say what the whole value
 * had, or `x-instant-batch-bytes|sha256` what the records of the batch are as they are stored
 * (compressed); then the original offset is the first that is missing, `x-instant-last-offset` the
 * last. Such a dead letter is never replayed.
 */
interface Failure {
  readonly class: DeadLetterClass;
  readonly reason: string;
  readonly attempts: number;
  /** Unix ms. */
  readonly failedAt: number;
  readonly group: string;
}

const ours = /^(?:kafka_dlt-|x-instant-)/;
const decoder = new TextDecoder();

export function encodeDeadLetter(record: LogRecord, failure: Failure): OutgoingRecord {
  const replays = replayCountOf(record.headers);
  const added: [string, Uint8Array][] = [
    ["kafka_dlt-original-topic", utf8(record.topic)],
    ["kafka_dlt-original-partition", int32(record.partition)],
    ["kafka_dlt-original-offset", int64(record.unread?.firstOffset ?? record.offset)],
    ["kafka_dlt-original-timestamp", int64(record.timestamp)],
    ["kafka_dlt-original-timestamp-type", utf8(record.timestampType)],
    ["kafka_dlt-original-consumer-group", utf8(failure.group)],
    ["kafka_dlt-exception-fqcn", utf8(`instant.${failure.class}`)],
    ["kafka_dlt-exception-message", utf8(failure.reason)],
    ["x-instant-class", utf8(failure.class)],
    ["x-instant-attempts", utf8(String(failure.attempts))],
    ["x-instant-failed-at", utf8(new Date(failure.failedAt).toISOString())],
    [replayCountHeader, utf8(String(replays))],
    ...unreadHeaders(record),
  ];
  return {
    key: record.key,
    value: record.value,
    headers: [...withoutOurs(record.headers), ...added],
  };
}

function unreadHeaders({ unread, offset }: LogRecord): readonly [string, Uint8Array][] {
  if (unread === undefined) return [];
  const { of, bytes, sha256, firstOffset } = unread;
  const part = of === "record" ? "value" : "batch";
  const headers: [string, Uint8Array][] = [
    [`x-instant-${part}-bytes`, utf8(String(bytes))],
    [`x-instant-${part}-sha256`, utf8(sha256)],
  ];
  if (offset !== firstOffset) headers.push(["x-instant-last-offset", utf8(String(offset))]);
  return headers;
}

const keyBytesMax = 16 * 1024;
const headersBytesMax = 32 * 1024;

/** A record with as much of its value as fits, and its key and headers where they are short. */
export function shortenRecord(record: LogRecord, valueBytesMax: number): LogRecord {
  const { key, value, headers, offset } = record;
  const headersBytes = headers.reduce(
    (sum, [name, bytes]) => sum + Buffer.byteLength(name) + (bytes?.byteLength ?? 0),
    0,
  );
  const restMax = Math.min(headersBytesMax, valueBytesMax);
  return {
    ...record,
    key: key !== null && key.byteLength > Math.min(keyBytesMax, restMax) ? null : key,
    value: value?.subarray(0, valueBytesMax) ?? null,
    headers: headersBytes > restMax ? [] : headers,
    unread: record.unread ?? {
      of: "record",
      reason: "the record is larger than the dead-letter topic takes",
      firstOffset: offset,
      bytes: value?.byteLength ?? 0,
      sha256: new Bun.CryptoHasher("sha256").update(value ?? "").digest("hex"),
    },
  };
}

/** The original record, with its replay count and no other header of ours. */
export function encodeReplay(deadLetter: LogRecord, replayCount: number): OutgoingRecord {
  return {
    key: deadLetter.key,
    value: deadLetter.value,
    headers: [...withoutOurs(deadLetter.headers), [replayCountHeader, utf8(String(replayCount))]],
  };
}

/** What its headers say; undefined where they do not. */
interface DeadLetterFacts {
  readonly class: DeadLetterClass | undefined;
  readonly reason: string | undefined;
  readonly attempts: number | undefined;
  readonly failedAt: number | undefined;
  readonly replayCount: number;
  readonly originalTopic: string | undefined;
  readonly originalPartition: number | undefined;
  readonly originalOffset: number | undefined;
  /** Its value is the whole value of the record, and all of it could be read. */
  readonly isWhole: boolean;
}

/** A dead letter, and what can be read of it. */
export interface DeadLetter {
  readonly record: LogRecord;
  readonly facts: DeadLetterFacts;
  readonly messageId: string | undefined;
  readonly recipient: string | undefined;
  readonly expiresAt: number | undefined;
}

export function readDeadLetter(record: LogRecord): DeadLetter {
  const facts = readFacts(record);
  // The first part of a value is no event, even where it happens to read as one.
  const decoded = decodeEmailEvent(facts.isWhole ? record.value : null);
  if (decoded.kind === "poison") {
    const { messageId } = decoded;
    return { record, facts, messageId, recipient: undefined, expiresAt: undefined };
  }
  const { messageId, recipient, expiresAt } = decoded.event;
  return { record, facts, messageId, recipient, expiresAt };
}

/** `recipient`: an address in canonical form. */
export function isSentTo({ recipient: to }: DeadLetter, recipient: string): boolean {
  return to !== undefined && canonicalAddress(to) === recipient;
}

function readFacts(deadLetter: LogRecord): DeadLetterFacts {
  const headers = new Map(deadLetter.headers); // later headers override earlier ones
  const headerText = (name: string) => {
    const bytes = headers.get(name) ?? undefined;
    return bytes === undefined ? undefined : decoder.decode(bytes);
  };
  const className = headerText("x-instant-class");
  const failedAt = Date.parse(headerText("x-instant-failed-at") ?? "");
  const attempts = Number(headerText("x-instant-attempts") ?? Number.NaN);
  return {
    class: deadLetterClasses.find((known) => known === className),
    reason: headerText("kafka_dlt-exception-message"),
    attempts: Number.isInteger(attempts) ? attempts : undefined,
    failedAt: Number.isNaN(failedAt) ? undefined : failedAt,
    replayCount: replayCountOf(deadLetter.headers),
    originalTopic: headerText("kafka_dlt-original-topic"),
    originalPartition: readInteger(headers.get("kafka_dlt-original-partition")),
    originalOffset: readInteger(headers.get("kafka_dlt-original-offset")),
    isWhole:
      deadLetter.unread === undefined &&
      !headers.has("x-instant-value-sha256") &&
      !headers.has("x-instant-batch-sha256"),
  };
}

function withoutOurs(headers: RecordHeaders): RecordHeaders {
  return headers.filter(([name]) => !ours.test(name));
}

function utf8(headerText: string): Uint8Array {
  return new TextEncoder().encode(headerText);
}

function int32(value: number): Uint8Array {
  const bytes = Buffer.alloc(4);
  bytes.writeInt32BE(value);
  return bytes;
}

function int64(value: number): Uint8Array {
  const bytes = Buffer.alloc(8);
  bytes.writeBigInt64BE(BigInt(value));
  return bytes;
}

function readInteger(bytes: Uint8Array | null | undefined): number | undefined {
  if (bytes === undefined || bytes === null) return undefined;
  const buffer = Buffer.from(bytes.buffer, bytes.byteOffset, bytes.byteLength);
  if (buffer.length === 4) return buffer.readInt32BE();
  return buffer.length === 8 ? Number(buffer.readBigInt64BE()) : undefined;
}

/** A dead letter for a person; the recipient is masked. */
export function deadLetterSummary({ record, facts, messageId, recipient }: DeadLetter) {
  return {
    partition: record.partition,
    offset: record.offset,
    className: facts.class ?? "unknown",
    messageId,
    recipient: recipient === undefined ? undefined : maskEmail(recipient),
    reason: facts.reason ?? "",
  };
}

/** A search covers the newest so many of each partition. */
export const deadLettersReadMax = 10_000;

interface DeadLetterSearch {
  readonly topic: string;
  readonly signal?: AbortSignal;
}

/** The dead letters for which `isWanted` holds, oldest first; none while the topic is missing. */
export async function findDeadLetters(
  eventLog: EventLog,
  { topic, signal }: DeadLetterSearch,
  isWanted: (deadLetter: DeadLetter) => boolean,
): Promise<readonly DeadLetter[]> {
  const found: DeadLetter[] = [];
  try {
    for (const { partition, earliest, next } of await eventLog.offsets(topic)) {
      const from = Math.max(earliest, next - deadLettersReadMax);
      const range = { topic, partition, from, to: next };
      const records = eventLog.readRange(signal === undefined ? range : { ...range, signal });
      for await (const record of records) {
        const deadLetter = readDeadLetter(record);
        if (isWanted(deadLetter)) found.push(deadLetter);
      }
    }
  } catch (error) {
    if (!isInstantError(error, eventLogErrors.topicMissing)) throw error;
  }
  return found;
}

/** The dead letter at one position; undefined when it is not kept any more. */
export async function findDeadLetterAt(
  eventLog: EventLog,
  { topic, partition, offset }: RecordPosition,
): Promise<DeadLetter | undefined> {
  const range = { topic, partition, from: offset, to: offset + 1 };
  for await (const record of eventLog.readRange(range)) {
    if (record.offset === offset) return readDeadLetter(record);
  }
  return undefined;
}

/** What a class of dead letters means, and what to do about it. */
const classAdvice: Readonly<Record<DeadLetterClass, string>> = {
  malformed:
    "A producer sent something that is not an event. Fix the producer: replayed as it is, it fails again.",
  invalid_data:
    "A producer sent an event whose data does not fit its type. Fix the producer: replayed as it is, it fails again.",
  unknown_type:
    "A producer sent a type of mail that this version does not know. Upgrade serve-email, then replay it.",
  id_conflict:
    "A producer used one message_id for two mails. The first one counts; give the second an id of its own.",
  too_old:
    "The ledger may have forgotten whether it was sent. Replay it only if the recipient may get it twice.",
  rejected:
    "The SMTP server refused the recipient or the mail for good. Find out why before replaying it.",
  retries_exhausted:
    "The SMTP server kept deferring it, or the preferences could not be read, for as long as EMAIL_RETRY_FOR allows. Replay it when that is fixed.",
  smtp_unavailable: "The SMTP server was down for too long. Replay it when the server is back.",
  ambiguous:
    "The connection broke before the server's answer: it may have been sent. Search the SMTP server's log for its message_id, and replay it only if it is not there.",
};

export function adviceOf(name: string | undefined): string | undefined {
  const known = deadLetterClasses.find((each) => each === name);
  return known && classAdvice[known];
}
