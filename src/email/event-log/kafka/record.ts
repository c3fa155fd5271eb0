import type { HeaderList, KafkaMessage, Message } from "kafkajs";
import { coreErrors, InstantError } from "../../../core/errors.ts";

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

/**
 * One call of `publish`: some records that resolve or reject together.
 *
 * Open: some records are not acknowledged. Settled: all are, or one failed, or the deadline came;
 * what happens to its records afterwards changes nothing.
 */
export class Publication {
  readonly #positions: (KafkaPosition | undefined)[];
  readonly #settled = Promise.withResolvers<readonly KafkaPosition[]>();
  readonly #timer: ReturnType<typeof setTimeout>;
  #missing: number;
  #isOpen = true;
  #onSettled: (() => void) | undefined;

  constructor(recordCount: number, deadlineMs: number) {
    this.#missing = recordCount;
    this.#positions = new Array(recordCount).fill(undefined);
    this.#timer = setTimeout(() => {
      this.reject(
        new InstantError(coreErrors.kafkaUnavailable, {
          detail: `no acknowledgement within ${deadlineMs} ms`,
        }),
      );
    }, deadlineMs);
    if (recordCount === 0) this.#settle(() => this.#settled.resolve([]));
  }

  get isOpen(): boolean {
    return this.#isOpen;
  }

  get positions(): Promise<readonly KafkaPosition[]> {
    return this.#settled.promise;
  }

  /** Calls `then` once when it is settled, at once when it is already; one listener at a time. */
  whenSettled(then: () => void): void {
    if (this.#isOpen) this.#onSettled = then;
    else then();
  }

  acknowledge(index: number, position: KafkaPosition): void {
    if (!this.#isOpen || this.#positions[index] !== undefined) return;
    this.#positions[index] = position;
    this.#missing -= 1;
    if (this.#missing > 0) return;
    const positions = this.#positions.filter((each) => each !== undefined);
    this.#settle(() => this.#settled.resolve(positions));
  }

  reject(error: InstantError): void {
    if (this.#isOpen) this.#settle(() => this.#settled.reject(error));
  }

  #settle(settle: () => void): void {
    this.#isOpen = false;
    clearTimeout(this.#timer);
    settle();
    this.#onSettled?.();
  }
}

/** A record on its way, and whose it is. */
export interface QueuedRecord {
  readonly record: KafkaRecord;
  readonly bytes: number;
  readonly publication: Publication;
  /** Its place in the publication. */
  readonly index: number;
  /** A batch that it was part of was too large: it goes without mates. */
  alone: boolean;
}
