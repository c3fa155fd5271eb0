import type { HeaderList, KafkaMessage, Message } from "kafkajs";

/** A record as it is sent: bytes, and headers in order, names may repeat, values may be null. */
export interface KafkaRecord {
  readonly key: Uint8Array | null;
  readonly value: Uint8Array | null;
  readonly headers: readonly (readonly [name: string, value: Uint8Array | null])[];
}

export interface KafkaPosition {
  readonly topic: string;
  readonly partition: number;
  readonly offset: number;
}

export interface KafkaStoredRecord extends KafkaRecord, KafkaPosition {
  /** Unix ms. */
  readonly timestamp: number;
  readonly timestampType: "CreateTime" | "LogAppendTime";
  /** Set when this is not the whole record. */
  readonly unread?: UnreadPart;
}

/**
 * Why a record is not whole: its value was too large, of which `value` has the start; or the rest of
 * its batch could not be read, from `firstOffset` up to the record's own offset.
 */
export interface UnreadPart {
  readonly of: "record" | "batch";
  /** For a person. */
  readonly reason: string;
  readonly firstOffset: number;
  /** Size and SHA-256 (in hex): of the whole value, or of the batch's records as they are stored. */
  readonly bytes: number;
  readonly sha256: string;
}

/** The bytes are shared, not copied. */
export function encodeRecord(record: KafkaRecord): Message {
  return {
    key: toBuffer(record.key),
    value: toBuffer(record.value),
    headers: record.headers.map(([key, value]) => ({ key, value: toBuffer(value) })),
  };
}

export function decodeRecord(
  topic: string,
  partition: number,
  message: KafkaMessage,
): KafkaStoredRecord {
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
 * A view would keep the whole fetched batch in memory for as long as one record of it waits; where
 * the record is most of that, a copy would cost as much again.
 */
function ownBytes(bytes: Buffer | null): Uint8Array | null {
  if (bytes === null) return null;
  const { buffer, byteOffset, byteLength } = bytes;
  return byteLength * 2 > buffer.byteLength
    ? new Uint8Array(buffer, byteOffset, byteLength)
    : new Uint8Array(bytes);
}

const noHeaders: HeaderList = [];

/** Header of a record batch (KIP-98) and the bytes of the largest numbers of a record in it. */
export const batchOverheadBytes = 61;
const recordOverheadBytes = 1 + 10 + 5 + 5;

/** At most this many bytes in a batch; 20 bytes too many for a short record. */
export function recordBytesBound(record: KafkaRecord): number {
  let bytes = recordOverheadBytes + fieldBytes(record.key) + fieldBytes(record.value) + 5;
  for (const [name, value] of record.headers) {
    bytes += 5 + Buffer.byteLength(name) + fieldBytes(value);
  }
  return bytes;
}

function fieldBytes(bytes: Uint8Array | null): number {
  return 5 + (bytes?.byteLength ?? 0);
}

function toBuffer(bytes: Uint8Array | null): Buffer | null {
  if (bytes === null || Buffer.isBuffer(bytes)) return bytes;
  return Buffer.from(bytes.buffer, bytes.byteOffset, bytes.byteLength);
}
