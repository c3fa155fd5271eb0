import type { DeadLetterClass } from "../delivery/outcome.ts";
import { deadLetterClasses } from "../delivery/outcome.ts";
import type { LogRecord, OutgoingRecord, RecordHeaders } from "../event-log/event-log.ts";

/**
 * The wire form of a dead letter: the record as it was (key, value, headers), plus where it came
 * from and why it was given up. Origin and exception headers follow Spring Kafka's
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

/** What a dead letter says about itself; undefined fields: it does not say. */
export interface DeadLetterFacts {
  readonly class: DeadLetterClass | undefined;
  readonly reason: string | undefined;
  readonly attempts: number | undefined;
  readonly failedAt: number | undefined;
  readonly replayCount: number;
  readonly originalTopic: string | undefined;
  readonly originalPartition: number | undefined;
  readonly originalOffset: number | undefined;
  /** Its value is all that the record had, and all of it was read. */
  readonly isWhole: boolean;
}

const replayCountHeader = "x-instant-replay-count";
const ours = /^(?:kafka_dlt-|x-instant-)/;
const text = new TextDecoder();

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

/** As much of a record as fits where the whole does not; its key and headers where they are short. */
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

/** The original record again, with its replay count set and nothing else of ours. */
export function encodeReplay(deadLetter: LogRecord, replayCount: number): OutgoingRecord {
  return {
    key: deadLetter.key,
    value: deadLetter.value,
    headers: [...withoutOurs(deadLetter.headers), [replayCountHeader, utf8(String(replayCount))]],
  };
}

export function readDeadLetterFacts(deadLetter: LogRecord): DeadLetterFacts {
  const headers = new Map(deadLetter.headers); // the newest value of a name, as `findHeader`
  const headerText = (name: string) => {
    const bytes = headers.get(name) ?? undefined;
    return bytes === undefined ? undefined : text.decode(bytes);
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

/** How often a record was replayed: 0 without the header, or when it is no number. */
export function replayCountOf(headers: RecordHeaders): number {
  const bytes = findHeader(headers, replayCountHeader);
  const count = bytes === undefined ? 0 : Number(text.decode(bytes));
  return Number.isSafeInteger(count) && count > 0 ? count : 0;
}

function withoutOurs(headers: RecordHeaders): RecordHeaders {
  return headers.filter(([name]) => !ours.test(name));
}

/** The newest value of a name, as later headers override earlier ones. */
function findHeader(headers: RecordHeaders, name: string): Uint8Array | undefined {
  return headers.findLast(([other]) => other === name)?.[1] ?? undefined;
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

/** What a class of dead letters means and what a person does about it, in a sentence or two. */
const classAdvice: Readonly<Record<DeadLetterClass, string>> = {
  malformed:
    "A producer sent what is no event. Mend the producer: put back as it is, it fails again.",
  invalid_data:
    "A producer sent an event whose data does not fit its type. Mend the producer: put back as it is, it fails again.",
  unknown_type:
    "A producer sent a type of mail that this version does not know. Upgrade serve-email, then put it back.",
  id_conflict:
    "A producer used one message_id for two mails. The first was kept to; give the second an id of its own.",
  too_old:
    "The ledger may have forgotten whether it was sent. Put it back only if the recipient may get it twice.",
  rejected:
    "The SMTP server refused the recipient or the mail for good. Ask why it did before putting it back.",
  retries_exhausted:
    "The SMTP server, or the store of preferences, put it off for as long as EMAIL_RETRY_FOR lets it be tried. Put it back when that is mended.",
  smtp_unavailable: "The SMTP server was away for too long. Put it back when the server is well.",
  ambiguous:
    "The connection broke before the server's answer: it may have been sent. Look for its message_id in the SMTP server's log, and put it back only if it is not there.",
};

export function adviceOf(name: string | undefined): string | undefined {
  const known = deadLetterClasses.find((each) => each === name);
  return known && classAdvice[known];
}
