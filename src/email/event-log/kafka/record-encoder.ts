import type { Message } from "kafkajs";
import type { OutgoingRecord } from "../event-log.ts";
import type { BatchSequence } from "./batch-head.ts";
import { batchHeadBytes, writeBatchHead } from "./batch-head.ts";

/** A record as it is given to kafkajs, which passes it to `encodeRecordBatch`. */
export class OutgoingMessage implements Message {
  readonly record: OutgoingRecord;
  readonly value = null;
  /** Once it is chosen; see `choosePartition`. */
  partition?: number;

  constructor(record: OutgoingRecord) {
    this.record = record;
  }
}

interface Batch extends BatchSequence {
  readonly messages: readonly Message[];
}

/**
 * The messages as one record batch, uncompressed, in a buffer of exactly its size; undefined for
 * those of another producer, which kafkajs then encodes itself. All have the same timestamp.
 */
export function encodeRecordBatch(batch: Batch): Buffer | undefined {
  const records: OutgoingRecord[] = [];
  for (const message of batch.messages) {
    if (!(message instanceof OutgoingMessage)) return undefined;
    records.push(message.record);
  }
  const lengths = records.map((record, index) => varintBytes(index) + fieldsBytes(record));
  let bytes = batchHeadBytes;
  for (const length of lengths) bytes += varintBytes(length) + length;
  const cursor = { bytes: Buffer.allocUnsafe(bytes), at: batchHeadBytes };
  records.forEach((record, index) => {
    writeVarint(cursor, lengths[index] ?? 0);
    writeRecord(cursor, record, index);
  });
  writeBatchHead(cursor.bytes, { count: records.length, now: Date.now(), sequence: batch });
  return cursor.bytes;
}

/** Length and offset, each at its longest. */
const framingBytesMax = 5 + 5;

/** An upper bound of a record's bytes in a batch. */
export function recordBytesBound(record: OutgoingRecord): number {
  return framingBytesMax + fieldsBytes(record);
}

/** All but its length and its offset. */
function fieldsBytes({ key, value, headers }: OutgoingRecord): number {
  let bytes = 2 + nullableBytes(key) + nullableBytes(value) + varintBytes(headers.length);
  for (const [name, content] of headers) {
    const nameBytes = Buffer.byteLength(name);
    bytes += varintBytes(nameBytes) + nameBytes + nullableBytes(content);
  }
  return bytes;
}

function nullableBytes(bytes: Uint8Array | null): number {
  return bytes === null ? 1 : varintBytes(bytes.length) + bytes.length;
}

/** Of a length or an offset, zigzag. */
function varintBytes(value: number): number {
  let bytes = 1;
  for (let left = value * 2; left >= 0x80; left >>>= 7) bytes += 1;
  return bytes;
}

interface WriteCursor {
  readonly bytes: Buffer;
  at: number;
}

function writeRecord(cursor: WriteCursor, record: OutgoingRecord, offsetDelta: number): void {
  const { key, value, headers } = record;
  cursor.bytes[cursor.at] = 0; // its attributes, unused
  cursor.at += 1;
  writeVarint(cursor, 0); // later than the batch by nothing
  writeVarint(cursor, offsetDelta);
  writeNullable(cursor, key);
  writeNullable(cursor, value);
  writeVarint(cursor, headers.length);
  for (const [name, content] of headers) {
    writeVarint(cursor, Buffer.byteLength(name));
    cursor.at += cursor.bytes.write(name, cursor.at);
    writeNullable(cursor, content);
  }
}

function writeNullable(cursor: WriteCursor, bytes: Uint8Array | null): void {
  writeVarint(cursor, bytes?.length ?? -1);
  if (bytes === null) return;
  cursor.bytes.set(bytes, cursor.at);
  cursor.at += bytes.length;
}

/** Zigzag. */
function writeVarint(cursor: WriteCursor, value: number): void {
  let left = value < 0 ? -2 * value - 1 : 2 * value;
  for (; left >= 0x80; left >>>= 7) {
    cursor.bytes[cursor.at] = (left & 0x7f) | 0x80;
    cursor.at += 1;
  }
  cursor.bytes[cursor.at] = left;
  cursor.at += 1;
}
