import { CompressionCodecs, CompressionTypes } from "kafkajs";
import lz4 from "lz4js";
import snappy from "snappyjs";

/**
 * Teaches kafkajs to read what other producers compress with zstd, snappy or lz4 (gzip it knows).
 * We send uncompressed. A batch in a codec that is none of these ends its reader with
 * `kafka_codec_missing`; a batch that does not decompress ends it with `kafka_refused`.
 */
export function registerKafkaCodecs(): void {
  CompressionCodecs[CompressionTypes.ZSTD] = () => ({
    compress: (encoder: { buffer: Buffer }) => Bun.zstdCompress(encoder.buffer),
    decompress: (bytes: Buffer) => Bun.zstdDecompress(bytes),
  });
  CompressionCodecs[CompressionTypes.Snappy] = () => ({
    compress: neverCompress,
    decompress: async (bytes: Buffer) => decompressSnappy(bytes),
  });
  CompressionCodecs[CompressionTypes.LZ4] = () => ({
    compress: neverCompress,
    decompress: async (bytes: Buffer) => Buffer.from(lz4.decompress(bytes)),
  });
}

async function neverCompress(): Promise<Buffer> {
  throw new Error("this codec is for reading only");
}

/** Java's producers cut the data into blocks behind this mark, each with its length before it. */
const xerialMark = Buffer.from([0x82, 0x53, 0x4e, 0x41, 0x50, 0x50, 0x59, 0]);
const xerialHeaderBytes = 16;

function decompressSnappy(bytes: Buffer): Buffer {
  if (!bytes.subarray(0, xerialMark.length).equals(xerialMark)) return snappy.uncompress(bytes);
  const blocks: Buffer[] = [];
  let offset = xerialHeaderBytes;
  while (offset < bytes.length) {
    const length = bytes.readInt32BE(offset);
    offset += 4;
    blocks.push(snappy.uncompress(bytes.subarray(offset, offset + length)));
    offset += length;
  }
  return Buffer.concat(blocks);
}
