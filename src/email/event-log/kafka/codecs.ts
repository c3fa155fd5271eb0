import { createGunzip, createZstdDecompress } from "node:zlib";

/**
 * The codecs of record batches: gzip and zstd by zlib, Snappy and LZ4 here, because their libraries
 * allocate whatever size a block announces and return all or nothing.
 *
 * Memory is bounded: each decompresses piece by piece, on demand, and yields at most 256 KiB at a
 * time. Besides its input it needs 256 KiB and its history (1 MiB for Snappy, 64 KiB for LZ4), or
 * zlib's window (up to 128 MiB for zstd) and 4 pieces of 64 KiB, however much the data announces or
 * expands to. The caller bounds how much is decompressed in total (see `readRecordBatch`).
 * Everything readable before a fault is yielded before the fault is thrown.
 */

const pieceBytes = 256 * 1024;

/** The newest output: copies refer back to it; it is handed out when full. */
class Window {
  readonly #historyBytes: number;
  readonly #bytes: Buffer;
  #at = 0;
  #handedOut = 0;

  constructor(historyBytes: number) {
    this.#historyBytes = historyBytes;
    this.#bytes = Buffer.allocUnsafeSlow(historyBytes + pieceBytes);
  }

  get free(): number {
    return this.#bytes.length - this.#at;
  }

  literal(source: Buffer, from: number, length: number): void {
    this.#at += source.copy(this.#bytes, this.#at, from, from + length);
  }

  /** Repeats bytes from `distance` back; source and target may overlap. */
  repeat(distance: number, length: number): void {
    const from = this.#at - distance;
    if (distance === 0 || from < 0) throw new Error("it refers to bytes that it does not hold");
    for (let left = length; left > 0; ) {
      const count = Math.min(left, this.#at - from);
      this.#bytes.copyWithin(this.#at, from, from + count);
      this.#at += count;
      left -= count;
    }
  }

  /** A copy of the new bytes, which the caller may keep. */
  handOut(): Buffer {
    const piece = Buffer.from(this.#bytes.subarray(this.#handedOut, this.#at));
    if (this.free === 0) {
      this.#bytes.copyWithin(0, this.#at - this.#historyBytes, this.#at);
      this.#at = this.#historyBytes;
    }
    this.#handedOut = this.#at;
    return piece;
  }
}

/** Either a literal of `source` at `from`, or a copy from `distance` back. */
function* write(
  window: Window,
  source: Buffer,
  run: { readonly from: number; readonly distance: number; readonly length: number },
): Generator<Buffer, void> {
  let { from, length } = run;
  while (length > 0) {
    if (window.free === 0) yield window.handOut();
    const count = Math.min(length, window.free);
    if (run.distance > 0) window.repeat(run.distance, count);
    else window.literal(source, from, count);
    from += count;
    length -= count;
  }
}

function endsEarly(): Error {
  return new Error("it ends early");
}

/** Java's producers write this magic and then blocks, each preceded by its length. */
const xerialMark = Buffer.from([0x82, 0x53, 0x4e, 0x41, 0x50, 0x50, 0x59, 0]);
const xerialHeaderBytes = 16;

/** One raw block (librdkafka), or blocks in xerial's framing (Java, Go). */
function* decompressSnappy(bytes: Buffer): Generator<Buffer, void> {
  if (!bytes.subarray(0, xerialMark.length).equals(xerialMark)) return yield* snappyBlock(bytes);
  let at = xerialHeaderBytes;
  while (at < bytes.length) {
    if (at + 4 > bytes.length) throw endsEarly();
    const length = bytes.readUInt32BE(at);
    at += 4;
    yield* snappyBlock(bytes.subarray(at, at + length));
    if (at + length > bytes.length) throw endsEarly();
    at += length;
  }
}

/** Compressors use at most 64 KiB; the format allows more. */
const snappyHistoryBytes = 1024 * 1024;

function* snappyBlock(bytes: Buffer): Generator<Buffer, void> {
  const announced = readLength(bytes);
  const window = new Window(Math.min(announced.length, snappyHistoryBytes));
  let produced = 0;
  let fault: unknown;
  try {
    for (let at = announced.end; at < bytes.length; ) {
      const element = snappyElement(bytes, at);
      produced += element.length;
      if (produced > announced.length) throw new Error("it holds more than it announces");
      const isLong = element.length > window.free;
      if (isLong || element.distance === 0) yield* write(window, bytes, element);
      else window.repeat(element.distance, element.length);
      at = element.end;
    }
    if (produced < announced.length) throw endsEarly();
  } catch (error) {
    fault = error;
  }
  yield window.handOut();
  if (fault !== undefined) throw fault;
}

interface SnappyElement {
  /** The start of a literal. */
  readonly from: number;
  /** The distance of a copy; 0: a literal. */
  readonly distance: number;
  readonly length: number;
  readonly end: number;
}

/** https://github.com/google/snappy/blob/main/format_description.txt, section 2 */
function snappyElement(bytes: Buffer, at: number): SnappyElement {
  const tag = bytes[at] ?? 0;
  const kind = tag & 3;
  const sizeOf = tag >>> 2;
  const extra = kind === 0 ? Math.max(0, sizeOf - 59) : kind === 3 ? 4 : kind;
  if (at + 1 + extra > bytes.length) throw endsEarly();
  const number = extra === 0 ? 0 : bytes.readUIntLE(at + 1, extra);
  const from = at + 1 + extra;
  if (kind === 0) {
    const length = (extra === 0 ? sizeOf : number) + 1;
    if (from + length > bytes.length) throw endsEarly();
    return { from, distance: 0, length, end: from + length };
  }
  const distance = kind === 1 ? ((tag >>> 5) << 8) | number : number;
  if (distance === 0) throw new Error("it refers to bytes that it does not hold");
  const length = kind === 1 ? (sizeOf & 7) + 4 : sizeOf + 1;
  return { from, distance, length, end: from };
}

/** The length at the front of a block: a varint of 32 bits. */
function readLength(bytes: Buffer): { readonly length: number; readonly end: number } {
  let length = 0;
  for (let at = 0; at < 5; at += 1) {
    const byte = bytes[at];
    if (byte === undefined) throw endsEarly();
    length += (byte & 0x7f) * 2 ** (7 * at);
    if (byte < 0x80) return { length, end: at + 1 };
  }
  throw new Error("its length is malformed");
}

const lz4Magic = 0x184d2204;
const lz4HistoryBytes = 64 * 1024;

/**
 * One frame (https://github.com/lz4/lz4/blob/dev/doc/lz4_Frame_format.md). Its checksums are not
 * verified: the batch has its own, and older Java clients computed that of the header wrongly
 * (KAFKA-3160).
 */
function* decompressLz4(bytes: Buffer): Generator<Buffer, void> {
  if (bytes.length < 7) throw endsEarly();
  if (bytes.readUInt32LE(0) !== lz4Magic) throw new Error("it is not an LZ4 frame");
  const flags = bytes[4] ?? 0;
  if (flags >>> 6 !== 1) throw new Error("it is of an unknown version");
  if ((flags & 1) === 1) throw new Error("it needs a dictionary");
  const checksumBytes = (flags & 0x10) === 0 ? 0 : 4;
  const window = new Window(lz4HistoryBytes);
  let at = 7 + ((flags & 0x08) === 0 ? 0 : 8);
  let fault: unknown;
  try {
    for (;;) {
      if (at + 4 > bytes.length) throw endsEarly();
      const size = bytes.readUInt32LE(at);
      at += 4;
      if (size === 0) break;
      const length = size & 0x7fffffff;
      const block = bytes.subarray(at, at + length);
      if (size >>> 31 === 0) yield* lz4Block(window, block);
      else yield* write(window, block, { from: 0, distance: 0, length: block.length });
      if (block.length < length) throw endsEarly();
      at += length + checksumBytes;
    }
  } catch (error) {
    fault = error;
  }
  yield window.handOut();
  if (fault !== undefined) throw fault;
}

/** https://github.com/lz4/lz4/blob/dev/doc/lz4_Block_format.md */
function* lz4Block(window: Window, bytes: Buffer): Generator<Buffer, void> {
  let at = 0;
  const readMore = (first: number) => {
    if (first < 15) return first;
    for (let length = first; ; ) {
      const byte = bytes[at];
      if (byte === undefined) throw endsEarly();
      at += 1;
      length += byte;
      if (byte < 255) return length;
    }
  };
  while (at < bytes.length) {
    const token = bytes[at] ?? 0;
    at += 1;
    const literals = readMore(token >>> 4);
    if (at + literals > bytes.length) throw endsEarly();
    if (literals > window.free) {
      yield* write(window, bytes, { from: at, distance: 0, length: literals });
    } else window.literal(bytes, at, literals);
    at += literals;
    if (at === bytes.length) return; // the last sequence has no match
    if (at + 2 > bytes.length) throw endsEarly();
    const distance = bytes.readUInt16LE(at);
    at += 2;
    const length = readMore(token & 15) + 4;
    if (length > window.free) {
      if (distance === 0) throw new Error("it refers to bytes that it does not hold");
      yield* write(window, bytes, { from: 0, distance, length });
    } else window.repeat(distance, length);
  }
}

/** The codec's number in the attributes of a batch (the protocol's record batch format). */
const codecs = {
  0: { name: "uncompressed", decompress: (bytes: Buffer) => [bytes] },
  1: { name: "gzip", decompress: (bytes: Buffer) => streamed(createGunzip({ chunkSize }), bytes) },
  2: { name: "snappy", decompress: (bytes: Buffer) => inTurns(decompressSnappy(bytes)) },
  3: { name: "lz4", decompress: (bytes: Buffer) => inTurns(decompressLz4(bytes)) },
  4: {
    name: "zstd",
    decompress: (bytes: Buffer) => streamed(createZstdDecompress({ chunkSize }), bytes),
  },
} as const;

const chunkSize = 64 * 1024;
const piecesAheadMax = 4;

interface Codec {
  readonly name: string;
  /**
   * The bytes in pieces of at most 256 KiB, produced on demand: the caller bounds them by not
   * iterating further. Throws after the last readable piece.
   */
  readonly decompress: (bytes: Buffer) => AsyncIterable<Buffer> | Iterable<Buffer>;
}

/** The codec of a batch; undefined for an unknown number. */
export function findCodec(attributes: number): Codec | undefined {
  return (codecs as Readonly<Record<number, Codec>>)[attributes & 7];
}

type Inflate = ReturnType<typeof createGunzip> | ReturnType<typeof createZstdDecompress>;

/** Inflates on another thread; what was inflated before a fault is yielded before it is thrown. */
async function* streamed(stream: Inflate, bytes: Buffer): AsyncGenerator<Buffer, void> {
  const pieces: Buffer[] = [];
  let end: { readonly fault?: Error } | undefined;
  let news = Promise.withResolvers<void>();
  stream.on("data", (piece: Buffer) => {
    pieces.push(piece);
    if (pieces.length >= piecesAheadMax) stream.pause();
    news.resolve();
  });
  stream.once("end", () => {
    end = {};
    news.resolve();
  });
  stream.once("error", (fault) => {
    end = { fault };
    news.resolve();
  });
  stream.end(bytes);
  try {
    for (;;) {
      const piece = pieces.shift();
      if (piece !== undefined) yield piece;
      else if (end?.fault !== undefined) throw end.fault;
      else if (end !== undefined) return;
      else {
        news = Promise.withResolvers();
        stream.resume();
        await news.promise;
      }
    }
  } finally {
    stream.destroy();
  }
}

/** A turn of the event loop after each large piece, so that heartbeats continue. */
async function* inTurns(pieces: Generator<Buffer, void>): AsyncGenerator<Buffer, void> {
  for (const piece of pieces) {
    yield piece;
    if (piece.length >= chunkSize) await new Promise((resolve) => setImmediate(resolve));
  }
}
