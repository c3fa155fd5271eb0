import { createHash } from "node:crypto";
import { gzipSync } from "node:zlib";
import type { BatchContext, HeaderList, KafkaMessage, Message } from "kafkajs";
import { CompressionCodecs, crc32C, KafkaJSNonRetriableError, RecordBatch } from "kafkajs";
import { errorMessage } from "../../../core/errors.ts";
import type { LogRecord, OutgoingRecord, UnreadPart } from "../event-log.ts";
import { findCodec } from "./codecs.ts";
import { RecordBytes, readVarint, TooMuch } from "./record-bytes.ts";

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

/** A response has one or more batches of each partition; at most this many full ones are read. */
const answerBatchesMax = 4;
const recordCostMin = 256;
const unreadCost = 128 * 1024;
const keyBytesMax = 16 * 1024;
const headersBytesMax = 32 * 1024;
const decompressedBytesMax = 512 * 1024 * 1024;

type StoredBatch = Parameters<NonNullable<typeof RecordBatch.readBatch>>[0];
type ReadBatch = Awaited<ReturnType<NonNullable<typeof RecordBatch.readBatch>>>;

/** Installs this reader in kafkajs, process-wide: the last call wins. */
export function registerBatchReader({ bytesMax }: BatchReaderOptions): void {
  RecordBatch.readBatch = (batch) => readRecordBatch(batch, { bytesMax });
  RecordBatch.bytesMax = bytesMax;
  RecordBatch.answerBytesMax = answerBatchesMax * bytesMax;
  for (const id of [1, 2, 3, 4] as const) {
    CompressionCodecs[id] = () => createMessageSetCodec(id, bytesMax);
  }
}

async function readRecordBatch(
  batch: StoredBatch,
  { bytesMax }: BatchReaderOptions,
): Promise<ReadBatch> {
  const { attributes, stored } = batch;
  const isIntact = crc32C(batch.checked) === batch.crc;
  const context = isIntact ? batch.context : believable(batch);
  const codec = findCodec(attributes);
  const records: KafkaMessage[] = [];
  const pieces = codec === undefined ? [] : codec.decompress(stored.subarray(4));
  const source = new RecordBytes(pieces, Math.max(bytesMax, decompressedBytesMax));
  const next = () => nextOffset(records, context);
  let passing: Passing = { key: [], value: [] };
  try {
    if (!isIntact) throw new Error("its checksum does not match");
    if (codec === undefined) throw new Error(`codec ${attributes & 7} is unknown`);
    const count = stored.readInt32BE(0);
    for (let index = 0, kept = 0; index < count; index += 1) {
      const length = source.varintNow() ?? (await source.varint());
      const cost = Math.max(length, recordCostMin);
      if (kept + cost <= bytesMax) {
        const bytes = source.takeNow(length) ?? (await source.take(length));
        records.push(checkOffset(decodeRecordBytes(bytes, context), next(), context));
        kept += cost;
      } else if (kept + unreadCost <= bytesMax) {
        passing = { key: [], value: [] };
        const passed = await passOver(source, length, context, { ...passing, bytesMax });
        records.push(checkOffset(passed, next(), context));
        passing = { key: [], value: [] };
        kept += unreadCost;
      } else throw new TooMuch(bytesMax);
    }
    if (next() <= lastOffsetOf(context) && (await source.hasMore())) {
      throw new Error("it holds more records than it counts");
    }
  } catch (error) {
    // Beyond the last offset there is nothing to account for.
    if (next() <= lastOffsetOf(context)) {
      const rest = { error, source, firstOffset: next(), passing };
      records.push(restOf(context, stored, codec?.name, rest));
    }
  } finally {
    await source.end();
  }
  const bytes = Math.max(source.received, records.length * recordCostMin);
  return { records, bytes, lastOffsetDelta: context.lastOffsetDelta };
}

/**
 * The checksum does not match, so any field may be wrong. A last offset that is too high would skip
 * records, and the flag of a control batch or a transaction would hide this one. The first offset
 * is not covered by the checksum; the broker finds batches by it.
 */
function believable({ context, stored, nextOffset: following }: StoredBatch): BatchContext {
  const { lastOffsetDelta, firstOffset } = context;
  const count = stored.length < 4 ? 1 : stored.readInt32BE(0);
  const offsets = following === null ? count : Number(following) - Number(firstOffset);
  const delta = Math.max(0, Math.min(lastOffsetDelta, (offsets > 0 ? offsets : count) - 1));
  return { ...context, lastOffsetDelta: delta, isControlBatch: false, inTransaction: false };
}

/** The offset after the newest record. */
function nextOffset(records: readonly KafkaMessage[], { firstOffset }: BatchContext): number {
  const last = records.at(-1);
  return last === undefined ? Number(firstOffset) : Number(last.offset) + 1;
}

/** An offset outside its batch would corrupt the group's position. */
function checkOffset(record: KafkaMessage, next: number, context: BatchContext): KafkaMessage {
  const offset = Number(record.offset);
  if (offset >= next && offset <= lastOffsetOf(context)) return record;
  throw new Error("a record has an offset that is not its batch's");
}

function lastOffsetOf({ firstOffset, lastOffsetDelta }: BatchContext): number {
  return Number(firstOffset) + lastOffsetDelta;
}

/** `bytes` is a record without its length. Throws unless it is exactly that. */
function decodeRecordBytes(bytes: Buffer, context: BatchContext): KafkaMessage {
  let at = 1; // its attributes, unused
  const number = () => {
    const { value, end } = readVarint(bytes, at);
    at = end;
    return value;
  };
  const take = (length: number) => {
    const from = at;
    at += length;
    if (length < 0 || at > bytes.length) throw new Error("a field in it is longer than its record");
    return bytes.subarray(from, at);
  };
  const nullable = () => {
    const length = number();
    return length === -1 ? null : take(length);
  };
  const [timestampDelta, offsetDelta, key, value] = [number(), number(), nullable(), nullable()];
  const headers = number();
  // Each takes at least 2 bytes: a wrong count must not be trusted.
  if (headers < 0 || headers * 2 > bytes.length - at) throw new Error("its headers are malformed");
  const headerList = Array.from({ length: headers }, () => {
    const name = take(number()).toString("utf8");
    return { key: name, value: nullable() };
  });
  if (at !== bytes.length) throw new Error("a record in it is longer than its fields");
  return { ...messageAt(context, offsetDelta, timestampDelta), key, value, headerList };
}

function messageAt(context: BatchContext, offsetDelta: number, timestampDelta: number) {
  const { firstOffset, firstTimestamp, maxTimestamp, timestampType, magicByte } = context;
  const isAppendTime = timestampType === 1;
  return {
    magicByte,
    attributes: 0,
    offset: String(Number(firstOffset) + offsetDelta),
    timestamp: isAppendTime ? maxTimestamp : String(Number(firstTimestamp) + timestampDelta),
    headers: {}, // as a list below
    isControlRecord: context.isControlBatch,
    batchContext: context,
  };
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
): Promise<KafkaMessage> {
  const end = source.position + length;
  await source.take(1);
  const [timestampDelta, offsetDelta] = [await source.varint(), await source.varint()];
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
  const message = messageAt(context, offsetDelta, timestampDelta);
  const unread: UnreadPart = {
    of: "record",
    reason: `the record is too large to be read: ${length} bytes, and a batch may have at most ${passing.bytesMax} (KAFKA_BATCH_BYTES_MAX)`,
    firstOffset: Number(message.offset),
    bytes: Math.max(0, valueBytes),
    sha256: hash.digest("hex"),
  };
  return {
    ...message,
    key: key !== null && key.length < keyBytes ? null : key,
    value,
    headerList: headers.length < headersBytes ? [] : decodeHeaders(headers, context),
    unread,
  };
}

function decodeHeaders(bytes: Buffer, context: BatchContext): HeaderList {
  const bare = Buffer.from([0, 0, 0, 1, 1]); // no attributes, deltas of 0, no key, no value
  return decodeRecordBytes(Buffer.concat([bare, bytes]), context).headerList ?? [];
}

/**
 * Everything from `firstOffset` to the end of the batch, as one record at the last offset. Its
 * value is the start of the decompressed bytes that were not delivered, or of the stored bytes if
 * there are none.
 */
function restOf(
  context: BatchContext,
  stored: Buffer,
  codecName: string | undefined,
  { error, source, firstOffset, passing }: Rest,
): KafkaMessage {
  const last = lastOffsetOf(context);
  const which = firstOffset < last ? `the records ${firstOffset} to ${last}` : `record ${last}`;
  const why =
    error instanceof TooMuch ? `${error.message} (KAFKA_BATCH_BYTES_MAX)` : errorMessage(error);
  const message = messageAt(context, context.lastOffsetDelta, 0);
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
  return { ...message, key, value: Buffer.from(value), headerList: [], unread };
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

/** Converts records to and from kafkajs. The bytes of a sent record are shared, not copied. */
export function encodeRecord({ key, value, headers }: OutgoingRecord): Message {
  return {
    key: toBuffer(key),
    value: toBuffer(value),
    headers: headers.map(([name, content]) => ({ key: name, value: toBuffer(content) })),
  };
}

function toBuffer(bytes: Uint8Array | null): Buffer | null {
  if (bytes === null || Buffer.isBuffer(bytes)) return bytes;
  return Buffer.from(bytes.buffer, bytes.byteOffset, bytes.byteLength);
}

const noHeaders: HeaderList = [];

export function decodeRecord(topic: string, partition: number, message: KafkaMessage): LogRecord {
  return {
    topic,
    partition,
    offset: Number(message.offset),
    key: ownBytes(message.key),
    value: ownBytes(message.value),
    headers: (message.headerList ?? noHeaders).map(({ key, value }) => [key, ownBytes(value)]),
    timestamp: Number(message.timestamp),
    timestampType: message.batchContext?.timestampType === 1 ? "LogAppendTime" : "CreateTime",
    ...(message.unread === undefined ? {} : { unread: message.unread }),
  };
}

/**
 * A view would keep the whole fetched batch in memory as long as one of its records waits; where
 * the record is most of the batch, a copy would double the memory.
 */
function ownBytes(bytes: Buffer | null): Uint8Array | null {
  if (bytes === null) return null;
  const { buffer, byteOffset, byteLength } = bytes;
  return byteLength * 2 > buffer.byteLength
    ? new Uint8Array(buffer, byteOffset, byteLength)
    : new Uint8Array(bytes);
}
