import { createRequire } from "node:module";
import { gzipSync, zstdCompressSync } from "node:zlib";

/** kafkajs' own, to check ours against. */
const inside = createRequire(import.meta.resolve("kafkajs/package.json"));
const crc32C: (bytes: Buffer) => number = inside("./src/protocol/recordBatch/crc32C/index.js");

/** Record batches made by hand, so that a test can make them wrong. */
interface HandRecord {
  readonly key?: Buffer;
  readonly value: Buffer;
  readonly headers?: readonly (readonly [string, Buffer])[];
}

const codecNumbers = { none: 0, gzip: 1, snappy: 2, lz4: 3, zstd: 4 } as const;
type CodecName = keyof typeof codecNumbers;

export const compress: Readonly<Record<CodecName, (bytes: Buffer) => Buffer>> = {
  none: (bytes) => bytes,
  gzip: (bytes) => gzipSync(bytes),
  zstd: (bytes) => zstdCompressSync(bytes),
  snappy: compressSnappy,
  lz4: compressLz4,
};

export interface HandBatch {
  readonly codec: CodecName;
  readonly baseOffset?: number;
  readonly records: readonly HandRecord[];
  /** Instead of the codec's usual frame. */
  readonly recompress?: (plain: Buffer) => Buffer;
  /** Changes the compressed bytes, under a checksum that fits. */
  readonly tamper?: (compressed: Buffer) => Buffer;
  readonly crc?: number;
  /** Says that there are as many. */
  readonly count?: number;
}

/** As in a fetch answer or a produce request. */
export function encodeBatch(batch: HandBatch): Buffer {
  const { codec, baseOffset = 0, records, tamper = (bytes) => bytes, count } = batch;
  const plain = Buffer.concat(records.map((record, index) => encodeHandRecord(record, index)));
  const body = tamper((batch.recompress ?? compress[codec])(plain));
  const checked = Buffer.alloc(40);
  checked.writeInt16BE(codecNumbers[codec], 0);
  checked.writeInt32BE(records.length - 1, 2);
  checked.writeBigInt64BE(1_700_000_000_000n, 6);
  checked.writeBigInt64BE(1_700_000_000_000n, 14);
  checked.writeBigInt64BE(-1n, 22);
  checked.writeInt16BE(-1, 30);
  checked.writeInt32BE(-1, 32);
  checked.writeInt32BE(count ?? records.length, 36);
  const rest = Buffer.concat([checked, body]);
  const head = Buffer.alloc(21);
  head.writeBigInt64BE(BigInt(baseOffset), 0);
  head.writeInt32BE(rest.length + 9, 8);
  head.writeInt8(2, 16);
  head.writeUInt32BE(batch.crc ?? crc32C(rest), 17);
  return Buffer.concat([head, rest]);
}

function encodeHandRecord({ key, value, headers = [] }: HandRecord, index: number): Buffer {
  const body = Buffer.concat([
    Buffer.from([0, 0]),
    varint(index),
    key === undefined ? varint(-1) : Buffer.concat([varint(key.length), key]),
    varint(value.length),
    value,
    varint(headers.length),
    ...headers.flatMap(([name, bytes]) => [
      varint(Buffer.byteLength(name)),
      Buffer.from(name),
      varint(bytes.length),
      bytes,
    ]),
  ]);
  return Buffer.concat([varint(body.length), body]);
}

function varint(value: number): Buffer {
  return uvarint(value < 0 ? -2 * value - 1 : 2 * value);
}

function uvarint(value: number): Buffer {
  const bytes: number[] = [];
  let left = value;
  for (; left >= 0x80; left = Math.floor(left / 128)) bytes.push((left % 128) | 0x80);
  return Buffer.from([...bytes, left]);
}

/** Runs of one byte, which is all that these two compress: [start, end) of each, literals between. */
function runsOf(bytes: Buffer): readonly { from: number; to: number; isRun: boolean }[] {
  const parts: { from: number; to: number; isRun: boolean }[] = [];
  let literalFrom = 0;
  for (let at = 0; at < bytes.length; ) {
    let end = at + 1;
    while (end < bytes.length && bytes[end] === bytes[at]) end += 1;
    if (end - at >= 64) {
      parts.push({ from: literalFrom, to: at + 1, isRun: false });
      parts.push({ from: at + 1, to: end, isRun: true });
      literalFrom = end;
    }
    at = end;
  }
  if (literalFrom < bytes.length) {
    parts.push({ from: literalFrom, to: bytes.length, isRun: false });
  }
  return parts;
}

/** One raw block. */
function compressSnappy(bytes: Buffer): Buffer {
  const out: Uint8Array[] = [uvarint(bytes.length)];
  for (const { from, to, isRun } of runsOf(bytes)) {
    if (!isRun) {
      const size = Buffer.alloc(5);
      size[0] = 63 << 2; // a literal whose length stands in the next four bytes
      size.writeUInt32LE(to - from - 1, 1);
      out.push(size, bytes.subarray(from, to));
      continue;
    }
    const [copies, rest] = [Math.floor((to - from) / 64), (to - from) % 64];
    out.push(Buffer.alloc(copies * 3, new Uint8Array([(63 << 2) | 2, 1, 0])));
    if (rest > 0) out.push(Buffer.from([((rest - 1) << 2) | 2, 1, 0]));
  }
  return Buffer.concat(out);
}

/** In Java's framing: blocks of 32 KiB. */
export function compressXerial(bytes: Buffer): Buffer {
  const out: Uint8Array[] = [
    Buffer.from("82534e415050590000000001000000010000", "hex").subarray(0, 16),
  ];
  for (let from = 0; from < bytes.length; from += 32_768) {
    const block = compressSnappy(bytes.subarray(from, from + 32_768));
    const length = Buffer.alloc(4);
    length.writeUInt32BE(block.length);
    out.push(length, block);
  }
  return Buffer.concat(out);
}

/** A frame of one block per 4 MiB. */
function compressLz4(bytes: Buffer): Buffer {
  const out: Uint8Array[] = [Buffer.from("04224d1860700000", "hex").subarray(0, 7)];
  for (let from = 0; from < bytes.length; from += 4 * 1024 * 1024) {
    const block = lz4Block(bytes.subarray(from, from + 4 * 1024 * 1024));
    const size = Buffer.alloc(4);
    size.writeUInt32LE(block.length);
    out.push(size, block);
  }
  return Buffer.concat([...out, new Uint8Array(4)]);
}

function lz4Block(bytes: Buffer): Buffer {
  const out: Buffer[] = [];
  const parts = [...runsOf(bytes)];
  if (parts.at(-1)?.isRun) parts.push({ from: bytes.length, to: bytes.length, isRun: false });
  for (let index = 0; index < parts.length; index += 2) {
    const [literal, run] = [parts[index], parts[index + 1]];
    if (literal === undefined) break;
    const literals = literal.to - literal.from;
    const match = run === undefined ? 0 : run.to - run.from - 4;
    out.push(Buffer.from([(Math.min(literals, 15) << 4) | Math.min(match, 15)]), more(literals));
    out.push(bytes.subarray(literal.from, literal.to));
    if (run !== undefined) out.push(Buffer.from([1, 0]), more(match));
  }
  return Buffer.concat(out);
}

function more(length: number): Buffer {
  if (length < 15) return Buffer.alloc(0);
  const left = length - 15;
  return Buffer.concat([Buffer.alloc(Math.floor(left / 255), 255), Buffer.from([left % 255])]);
}
