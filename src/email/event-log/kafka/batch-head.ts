import { KafkaJSNonRetriableError } from "kafkajs";
import { crc32c } from "./crc32c.ts";

/** What the head of a batch says about its records, as far as it can be believed. */
export interface BatchContext {
  readonly firstOffset: number;
  readonly lastOffset: number;
  /** Whether the checksum matches. */
  readonly isIntact: boolean;
  readonly codecNumber: number;
  readonly firstTimestamp: number;
  /** The time of all of them, where it is the broker's. */
  readonly appendedAt: number | undefined;
  readonly isControlBatch: boolean;
  readonly inTransaction: boolean;
  /** As kafkajs compares it; "" outside of transactions. */
  readonly producerId: string;
  /** The records as they are stored, after their number in four bytes. */
  readonly stored: Buffer;
  /** Where the next batch begins. */
  readonly end: number;
}

/** See https://kafka.apache.org/documentation/#recordbatch */
const places = {
  firstOffset: 0,
  length: 8,
  crc: 17,
  attributes: 21,
  lastOffsetDelta: 23,
  firstTimestamp: 27,
  maxTimestamp: 35,
  producerId: 43,
  producerEpoch: 51,
  firstSequence: 53,
  records: 57,
} as const;
const lengthEnd = 12;
export const batchHeadBytes = 61;

const codecMask = 0x07;
const flags = { appendTime: 0x08, transaction: 0x10, control: 0x20 } as const;

/** Undefined when the bytes end before the batch does, as the last one of a fetch may. */
export function readBatchHead(bytes: Buffer, at: number): BatchContext | undefined {
  if (at + batchHeadBytes > bytes.length) return undefined;
  const end = at + lengthEnd + bytes.readInt32BE(at + places.length);
  if (end > bytes.length) return undefined;
  if (end < at + batchHeadBytes) throw new KafkaJSNonRetriableError("a record batch is too short");
  const batch = bytes.subarray(at, end);
  const attributes = batch.readInt16BE(places.attributes);
  const firstOffset = readInt64(batch, places.firstOffset);
  const isAppendTime = (attributes & flags.appendTime) !== 0;
  const inTransaction = (attributes & flags.transaction) !== 0;
  const context = {
    firstOffset,
    lastOffset: firstOffset + batch.readInt32BE(places.lastOffsetDelta),
    isIntact: crc32c(batch, places.attributes) === batch.readUInt32BE(places.crc),
    codecNumber: attributes & codecMask,
    firstTimestamp: readInt64(batch, places.firstTimestamp),
    appendedAt: isAppendTime ? readInt64(batch, places.maxTimestamp) : undefined,
    isControlBatch: (attributes & flags.control) !== 0,
    inTransaction,
    producerId: inTransaction ? String(batch.readBigInt64BE(places.producerId)) : "",
    stored: batch.subarray(places.records),
    end,
  };
  if (context.isIntact) return context;
  return believable(context, end + 8 <= bytes.length ? readInt64(bytes, end) : undefined);
}

/**
 * The checksum does not match, so any field may be wrong. A last offset that is too high would skip
 * records, and the flag of a control batch or a transaction would hide this one. The first offset
 * is not covered by the checksum; the broker finds batches by it.
 */
function believable(context: BatchContext, following: number | undefined): BatchContext {
  const { firstOffset, lastOffset, stored } = context;
  const count = stored.readInt32BE(0);
  const offsets = following === undefined ? count : following - firstOffset;
  const last = firstOffset + (offsets > 0 ? offsets : count) - 1;
  return {
    ...context,
    lastOffset: Math.max(firstOffset, Math.min(lastOffset, last)),
    isControlBatch: false,
    inTransaction: false,
  };
}

/** `readBigInt64BE` as a number, exact up to 2^53. */
function readInt64(bytes: Buffer, at: number): number {
  return bytes.readInt32BE(at) * 2 ** 32 + bytes.readUInt32BE(at + 4);
}

/** Of the producer, by which the broker knows a batch that it has already. */
export interface BatchSequence {
  readonly producerId: string | number | bigint;
  readonly producerEpoch: number;
  readonly firstSequence: number;
}

/** Writes the head of a batch of `count` records, which follow it in `batch`; all are of `now`. */
export function writeBatchHead(
  batch: Buffer,
  { count, now, sequence }: { count: number; now: number; sequence: BatchSequence },
): void {
  const magic = 2;
  batch.fill(0, 0, batchHeadBytes);
  batch.writeInt32BE(batch.length - lengthEnd, places.length);
  batch[places.crc - 1] = magic;
  batch.writeInt32BE(count - 1, places.lastOffsetDelta);
  batch.writeBigInt64BE(BigInt(now), places.firstTimestamp);
  batch.writeBigInt64BE(BigInt(now), places.maxTimestamp);
  batch.writeBigInt64BE(BigInt(sequence.producerId), places.producerId);
  batch.writeInt16BE(sequence.producerEpoch, places.producerEpoch);
  batch.writeInt32BE(sequence.firstSequence, places.firstSequence);
  batch.writeInt32BE(count, places.records);
  batch.writeUInt32BE(crc32c(batch, places.attributes), places.crc);
}
