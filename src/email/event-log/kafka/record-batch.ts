import { createHash } from "node:crypto";
import { gzipSync } from "node:zlib";
import type { KafkaMessage } from "kafkajs";
import { CompressionCodecs, KafkaJSNonRetriableError, recordBatches } from "kafkajs";
import { errorMessage } from "../../../core/errors.ts";
import type { LogRecord, RecordHeaders, UnreadPart } from "../event-log.ts";
import type { BatchContext } from "./batch-head.ts";
import { readBatchHead } from "./batch-head.ts";
import { findCodec } from "./codecs.ts";
import type { Cursor } from "./record-bytes.ts";
import { RecordBytes, readVarint, TooMuch } from "./record-bytes.ts";
import { encodeRecordBatch } from "./record-encoder.ts";

/**
 * Reads record batches (https://kafka.apache.org/documentation/#recordbatch) for kafkajs in bounded
 * memory, whatever their compression and whatever sizes they claim. It never throws for the content
 * of a batch: what cannot be read becomes an `unread` record, so that it is accounted for, and the
 * records before and after it are delivered.
 *
 * A record is kept whole while the records of its batch fit into `bytesMax`. One that does not fit
 * is skipped: its key, headers and the first 64 KiB of its value are kept, its size and SHA-256 are
 * computed while skipping. Decompression ends after 512 MiB (or `bytesMax`, if that is more), at a
 * fault, or when even skipped records would not fit: the rest of the batch, up to its last offset,
 * becomes one record.
 */
interface BatchReaderOptions {
  /** Bytes of the records of a batch; each counts as at least 256, its cost as an object. */
  readonly bytesMax: number;
}

export const batchBytesMaxDefault = 16 * 1024 * 1024;
/** How much of a value is kept when it is too large to keep whole. */
const unreadValueBytesMax = 64 * 1024;

/** An answer has one or more batches of each partition; at most this many full ones are read. */
const answerBatchesMax = 4;
const recordCostMin = 256;
const unreadCost = 128 * 1024;
const keyBytesMax = 16 * 1024;
const headersBytesMax = 32 * 1024;
const decompressedBytesMax = 512 * 1024 * 1024;

/** Has kafkajs read and write record batches by these, process-wide: the last call wins. */
export function installRecordBatches({ bytesMax }: BatchReaderOptions): void {
  recordBatches.write = encodeRecordBatch;
  recordBatches.read = (bytes, answer) => readRecordBatches(bytes, answer, { bytesMax });
  for (const id of [1, 2, 3, 4] as const) {
    CompressionCodecs[id] = () => createMessageSetCodec(id, bytesMax);
  }
}

/** The bytes of the records that an answer brought so far; its partitions are read one by one. */
const answerBytes = new WeakMap<object, number>();

/**
 * The records of one partition of an answer. What exceeds the bound, of the partition or of all of
 * them, is left for the next fetch, as is a batch whose end was cut off.
 */
async function readRecordBatches(bytes: Buffer, answer: object, options: BatchReaderOptions) {
  const { bytesMax } = options;
  const fetched: FetchedRecord[] & { nextOffset?: number } = [];
  const before = answerBytes.get(answer) ?? 0;
  const readMax = Math.min(bytesMax, answerBatchesMax * bytesMax - before);
  let read = 0;
  for (let at = 0; read < readMax; ) {
    const context = readBatchHead(bytes, at);
    if (context === undefined) break;
    const batch = await readRecordBatch(context, options);
    for (const record of batch.records) fetched.push(record);
    read += batch.bytes;
    fetched.nextOffset = context.lastOffset + 1;
    at = context.end;
  }
  answerBytes.set(answer, before + read);
  return fetched;
}

/** A record as kafkajs passes it on. */
interface FetchedRecord extends Omit<LogRecord, "topic" | "partition" | "timestampType"> {
  readonly batchContext: BatchContext;
  readonly isControlRecord: boolean;
}

/** What an unread record has from its batch. */
function placed(context: BatchContext, offset: number, timestampDelta: number) {
  const timestamp = context.appendedAt ?? context.firstTimestamp + timestampDelta;
  return { offset, timestamp, isControlRecord: context.isControlBatch, batchContext: context };
}

async function readRecordBatch(
  context: BatchContext,
  { bytesMax }: BatchReaderOptions,
): Promise<{ readonly records: FetchedRecord[]; readonly bytes: number }> {
  const { codecNumber, stored, isIntact } = context;
  const codec = findCodec(codecNumber);
  const records: FetchedRecord[] = [];
  const pieces = codec === undefined ? [] : codec.decompress(stored.subarray(4));
  const source = new RecordBytes(pieces, Math.max(bytesMax, decompressedBytesMax));
  const next = () => nextOffset(records, context);
  let passing: Passing = { key: [], value: [] };
  try {
    if (!isIntact) throw new Error("its checksum does not match");
    if (codec === undefined) throw new Error(`codec ${codecNumber} is unknown`);
    const count = stored.readInt32BE(0);
    for (let index = 0, kept = 0; index < count; index += 1) {
      const length = source.varintNow() ?? (await source.varint());
      const cost = Math.max(length, recordCostMin);
      if (kept + cost <= bytesMax) {
        const cursor = source.takeNow(length) ?? (await source.take(length));
        records.push(checkOffset(decodeRecordAt(cursor, length, context), next(), context));
        kept += cost;
      } else if (kept + unreadCost <= bytesMax) {
        passing = { key: [], value: [] };
        const passed = await passOver(source, length, context, { ...passing, bytesMax });
        records.push(checkOffset(passed, next(), context));
        passing = { key: [], value: [] };
        kept += unreadCost;
      } else throw new TooMuch(bytesMax);
    }
    if (next() <= context.lastOffset && (await source.hasMore())) {
      throw new Error("it holds more records than it counts");
    }
  } catch (error) {
    // Beyond the last offset there is nothing to account for.
    if (next() <= context.lastOffset) {
      const rest = { error, source, firstOffset: next(), passing };
      records.push(restOf(context, codec?.name, rest));
    }
  } finally {
    await source.end();
  }
  return { records, bytes: Math.max(source.received, records.length * recordCostMin) };
}

/** The offset after the newest record. */
function nextOffset(records: readonly FetchedRecord[], { firstOffset }: BatchContext): number {
  const last = records.at(-1);
  return last === undefined ? firstOffset : last.offset + 1;
}

/** An offset outside its batch would corrupt the group's position. */
function checkOffset(record: FetchedRecord, next: number, context: BatchContext): FetchedRecord {
  if (record.offset >= next && record.offset <= context.lastOffset) return record;
  throw new Error("a record has an offset that is not its batch's");
}

/** The record at `cursor`, without its length. Throws unless it has exactly `length` bytes. */
function decodeRecordAt(cursor: Cursor, length: number, context: BatchContext): FetchedRecord {
  const end = cursor.at + length;
  cursor.at += 1; // its attributes, unused
  const timestampDelta = readVarint(cursor);
  const offset = context.firstOffset + readVarint(cursor);
  const key = readNullable(cursor, end);
  const value = readNullable(cursor, end);
  const headers = readHeaders(cursor, end);
  if (cursor.at !== end) throw new Error("a record in it is longer than its fields");
  const timestamp = context.appendedAt ?? context.firstTimestamp + timestampDelta;
  const { isControlBatch: isControlRecord } = context;
  return { offset, timestamp, key, value, headers, isControlRecord, batchContext: context };
}

const noHeaders: RecordHeaders = [];

function readHeaders(cursor: Cursor, end: number): RecordHeaders {
  const count = readVarint(cursor);
  if (count === 0) return noHeaders;
  // Each takes at least 2 bytes: a wrong count must not be trusted.
  if (count < 0 || count * 2 > end - cursor.at) throw new Error("its headers are malformed");
  const headers: (readonly [string, Uint8Array | null])[] = [];
  for (let index = 0; index < count; index += 1) {
    const from = pass(cursor, readVarint(cursor), end);
    headers.push([cursor.bytes.toString("utf8", from, cursor.at), readNullable(cursor, end)]);
  }
  return headers;
}

function readNullable(cursor: Cursor, end: number): Uint8Array | null {
  const length = readVarint(cursor);
  if (length === -1) return null;
  return ownBytes(cursor.bytes, pass(cursor, length, end), cursor.at);
}

/** Returns where the passed bytes begin. */
function pass(cursor: Cursor, length: number, end: number): number {
  const from = cursor.at;
  if (length < 0 || from + length > end) throw new Error("a field in it is longer than its record");
  cursor.at += length;
  return from;
}

/**
 * A view would keep the whole fetched batch in memory as long as one of its records waits; where
 * the record is most of the batch, a copy would double the memory.
 */
function ownBytes(bytes: Buffer, from: number, to: number): Uint8Array {
  const length = to - from;
  // The first comparison only spares the second, which is slow.
  if (length * 2 > bytes.length && length * 2 > bytes.buffer.byteLength) {
    return new Uint8Array(bytes.buffer, bytes.byteOffset + from, length);
  }
  const own = new Uint8Array(length);
  bytes.copy(own, 0, from, to);
  return own;
}

/** The kept parts of a skipped record, as far as it was read. */
interface Passing {
  readonly key: Buffer[];
  readonly value: Buffer[];
}

/** Skips a record that is too large, and keeps what fits. */
async function passOver(
  source: RecordBytes,
  length: number,
  context: BatchContext,
  passing: Passing & BatchReaderOptions,
): Promise<FetchedRecord> {
  const end = source.position + length;
  await source.take(1);
  const [timestampDelta, offsetDelta] = [await source.varint(), await source.varint()];
  const offset = context.firstOffset + offsetDelta;
  const keyBytes = await source.varint();
  const key = keyBytes < 0 ? null : await source.start(keyBytes, keyBytesMax, passing.key);
  const valueBytes = await source.varint();
  const hash = createHash("sha256");
  const update = (part: Buffer) => void hash.update(part);
  const value =
    valueBytes < 0
      ? null
      : await source.start(valueBytes, unreadValueBytesMax, passing.value, update);
  const headersBytes = end - source.position;
  const headers = await source.start(headersBytes, headersBytesMax, []);
  const unread: UnreadPart = {
    of: "record",
    reason: `the record is too large to be read: ${length} bytes, and a batch may have at most ${passing.bytesMax} (KAFKA_BATCH_BYTES_MAX)`,
    firstOffset: offset,
    bytes: Math.max(0, valueBytes),
    sha256: hash.digest("hex"),
  };
  return {
    key: key !== null && key.length < keyBytes ? null : key,
    value,
    headers: headers.length < headersBytes ? noHeaders : decodeHeaders(headers),
    unread,
    ...placed(context, offset, timestampDelta),
  };
}

/** Throws unless they are exactly that. */
function decodeHeaders(bytes: Buffer): RecordHeaders {
  const cursor = { bytes, at: 0 };
  const headers = readHeaders(cursor, bytes.length);
  if (cursor.at !== bytes.length) throw new Error("a record in it is longer than its fields");
  return headers;
}

/**
 * Everything from `firstOffset` to the end of the batch, as one record at the last offset. Its
 * value is the start of the decompressed bytes that were not delivered, or of the stored bytes if
 * there are none.
 */
function restOf(
  context: BatchContext,
  codecName: string | undefined,
  { error, source, firstOffset, passing }: Rest,
): FetchedRecord {
  const { stored, lastOffset: last } = context;
  const which = firstOffset < last ? `the records ${firstOffset} to ${last}` : `record ${last}`;
  const why =
    error instanceof TooMuch ? `${error.message} (KAFKA_BATCH_BYTES_MAX)` : errorMessage(error);
  const read =
    passing.value.length > 0 ? Buffer.concat(passing.value) : source.rest(unreadValueBytesMax);
  const value = source.received > 0 ? read : stored.subarray(4, 4 + unreadValueBytesMax);
  const unread: UnreadPart = {
    of: "batch",
    reason: `${which} cannot be read: of their ${codecName ?? "compressed"} batch, ${why}`,
    firstOffset,
    bytes: stored.length,
    sha256: createHash("sha256").update(stored).digest("hex"),
  };
  const key = passing.key.length > 0 ? Buffer.concat(passing.key) : null;
  const shown = new Uint8Array(value);
  return { key, value: shown, headers: noHeaders, unread, ...placed(context, last, 0) };
}

interface Rest {
  readonly error: unknown;
  readonly source: RecordBytes;
  readonly firstOffset: number;
  readonly passing: Passing;
}

/**
 * For message sets, which brokers before 0.11 wrote and Kafka 4 no longer has: a broken or too
 * large one stops the consumer with that reason.
 */
function createMessageSetCodec(id: number, bytesMax: number) {
  const codec = findCodec(id);
  return {
    compress: async (encoder: { readonly buffer: Buffer }): Promise<Buffer> => {
      if (codec?.name === "gzip") return gzipSync(encoder.buffer); // as in kafkajs
      throw new KafkaJSNonRetriableError(`${codec?.name} is for reading only`);
    },
    decompress: async (bytes: Buffer): Promise<Buffer> => {
      const pieces: Buffer[] = [];
      let length = 0;
      try {
        for await (const piece of codec?.decompress(bytes) ?? []) {
          pieces.push(piece);
          length += piece.length;
          if (length > bytesMax) throw new TooMuch(bytesMax);
        }
      } catch (error) {
        throw new KafkaJSNonRetriableError(
          `a ${codec?.name} message set is broken: ${errorMessage(error)}`,
        );
      }
      return Buffer.concat(pieces);
    },
  };
}

/** `message`: of a record batch, or of a message set as kafkajs reads it. */
export function decodeRecord(
  topic: string,
  partition: number,
  message: FetchedRecord | KafkaMessage,
): LogRecord {
  if (!("batchContext" in message)) return decodeMessage(topic, partition, message);
  const { offset, key, value, headers, timestamp, batchContext, unread } = message;
  const timestampType = batchContext.appendedAt === undefined ? "CreateTime" : "LogAppendTime";
  const record = {
    topic,
    partition,
    offset,
    key,
    value,
    headers,
    timestamp,
    timestampType,
  } as const;
  return unread === undefined ? record : { ...record, unread };
}

function decodeMessage(topic: string, partition: number, message: KafkaMessage): LogRecord {
  return {
    topic,
    partition,
    offset: Number(message.offset),
    key: message.key,
    value: message.value,
    headers: noHeaders,
    timestamp: Number(message.timestamp),
    timestampType: "CreateTime",
  };
}
