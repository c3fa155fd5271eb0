import { createGunzip, createZstdDecompress } from "node:zlib";
import { decompressLz4, decompressSnappy } from "./block-codecs.ts";

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

export interface Codec {
  readonly name: string;
  /**
   * The bytes in pieces of at most 256 KiB, made only as they are asked for: who stops asking has
   * bounded it. Throws behind the last piece that could be read.
   */
  readonly decompress: (bytes: Buffer) => AsyncIterable<Buffer> | Iterable<Buffer>;
}

/** The codec of a batch; undefined: the protocol knows none of that number. */
export function findCodec(attributes: number): Codec | undefined {
  return (codecs as Readonly<Record<number, Codec>>)[attributes & 7];
}

type Inflate = ReturnType<typeof createGunzip> | ReturnType<typeof createZstdDecompress>;

/** Works beside the event loop; what was inflated before a fault is yielded before it is thrown. */
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

/** A turn of the event loop between two pieces: heartbeats go on while much is decompressed. */
async function* inTurns(pieces: Generator<Buffer, void>): AsyncGenerator<Buffer, void> {
  for (const piece of pieces) {
    yield piece;
    if (piece.length >= chunkSize) await new Promise((resolve) => setImmediate(resolve));
  }
}
