/** The parts we use of two packages that come without types. */
declare module "lz4js" {
  /** Decompresses one LZ4 frame. */
  function decompress(frame: Uint8Array): Uint8Array;
  const lz4: { decompress: typeof decompress };
  export default lz4;
}

declare module "snappyjs" {
  /** Decompresses one raw Snappy block; a Buffer gives a Buffer. */
  function uncompress(block: Buffer): Buffer;
  const snappy: { uncompress: typeof uncompress };
  export default snappy;
}
