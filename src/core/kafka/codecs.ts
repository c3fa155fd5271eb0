import { CompressionCodecs, CompressionTypes, KafkaJSNonRetriableError } from "kafkajs";
import { errorMessage } from "../errors.ts";

/**
 * Teaches kafkajs to read what other producers compress with zstd, snappy or lz4 (gzip it knows).
 * We send uncompressed. A batch that does not decompress ends its reader: tried again, as kafkajs
 * would do with any other error, it would stop the partition in silence. A library is loaded with
 * the first batch that needs it: most services never meet one, and would start later.
 */
export function registerKafkaCodecs(): void {
  CompressionCodecs[CompressionTypes.ZSTD] = () => createReader("zstd", Bun.zstdDecompress);
  CompressionCodecs[CompressionTypes.Snappy] = () => createReader("snappy", decompressSnappy);
  CompressionCodecs[CompressionTypes.LZ4] = () => createReader("lz4", decompressLz4);
}

type Decompress = (bytes: Buffer) => Buffer | Promise<Buffer>;

function createReader(name: string, decompress: Decompress) {
  return {
    compress: async (): Promise<Buffer> => {
      throw new KafkaJSNonRetriableError(`${name} is for reading only`);
    },
    decompress: async (bytes: Buffer): Promise<Buffer> => {
      try {
        return await decompress(bytes);
      } catch (error) {
        throw new KafkaJSNonRetriableError(`a ${name} batch is broken: ${errorMessage(error)}`);
      }
    },
  };
}

async function decompressLz4(bytes: Buffer): Promise<Buffer> {
  const { default: lz4 } = await import("lz4js");
  return Buffer.from(lz4.decompress(bytes));
}

/** Java's producers cut the data into blocks behind this mark, each with its length before it. */
const xerialMark = Buffer.from([0x82, 0x53, 0x4e, 0x41, 0x50, 0x50, 0x59, 0]);
const xerialHeaderBytes = 16;

async function decompressSnappy(bytes: Buffer): Promise<Buffer> {
  const { default: snappy } = await import("snappyjs");
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
