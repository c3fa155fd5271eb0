/** Where to read next. */
export interface Cursor {
  readonly bytes: Buffer;
  at: number;
}

const noBytes: Buffer = Buffer.alloc(0);

/**
 * Reads fields from bytes that arrive in pieces. It buffers only what a `take` waits for. Reads
 * throw when the bytes end, fail, or exceed `bytesMax`.
 */
export class RecordBytes {
  readonly #pieces: AsyncIterator<Buffer> | Iterator<Buffer>;
  readonly #bytesMax: number;
  readonly #piece = { bytes: noBytes, at: 0 };
  readonly #taken = { bytes: noBytes, at: 0 };
  #behind = 0;

  constructor(pieces: AsyncIterable<Buffer> | Iterable<Buffer>, bytesMax: number) {
    this.#pieces =
      Symbol.asyncIterator in pieces ? pieces[Symbol.asyncIterator]() : pieces[Symbol.iterator]();
    this.#bytesMax = bytesMax;
  }

  /** How many bytes were taken. */
  get position(): number {
    return this.#behind + this.#piece.at;
  }

  /** How many bytes have arrived. */
  get received(): number {
    return this.#behind + this.#piece.bytes.length;
  }

  /** A zigzag varint; undefined unless 10 bytes, the longest number, have arrived. */
  varintNow(): number | undefined {
    return this.#arrived < 10 ? undefined : readVarint(this.#piece);
  }

  async varint(): Promise<number> {
    let bytes = Buffer.alloc(0);
    do {
      const { bytes: next, at } = await this.take(1);
      bytes = Buffer.concat([bytes, next.subarray(at, at + 1)]);
    } while ((bytes.at(-1) ?? 0) >= 0x80);
    return readVarint({ bytes, at: 0 });
  }

  /**
   * Where the next `length` bytes are, shared; undefined unless all of them are in the current
   * piece. Good until the next call.
   */
  takeNow(length: number): Cursor | undefined {
    if (length < 0 || length > this.#arrived) return undefined;
    this.#taken.bytes = this.#piece.bytes;
    this.#taken.at = this.#piece.at;
    this.#piece.at += length;
    return this.#taken;
  }

  /** As `takeNow`, and waits for them. If the bytes end first, `rest` has the remainder. */
  async take(length: number): Promise<Cursor> {
    const now = this.takeNow(length);
    if (now !== undefined) return now;
    const parts: Buffer[] = [];
    try {
      await this.pass(length, (part) => parts.push(part));
    } catch (error) {
      const bytes = Buffer.concat(parts);
      this.#behind -= bytes.length;
      this.#piece.bytes = bytes;
      this.#piece.at = 0;
      throw error;
    }
    return { bytes: Buffer.concat(parts), at: 0 };
  }

  /** Passes the next `length` bytes to `each` in parts and keeps none. */
  async pass(length: number, each: (part: Buffer) => void): Promise<void> {
    if (length < 0) throw new Error("a length in it is negative");
    for (let left = length; left > 0; ) {
      if (this.#arrived === 0) await this.#next();
      const part = this.rest(left);
      this.#piece.at += part.length;
      each(part);
      left -= part.length;
    }
  }

  /** As `pass`, but adds the first `keptMax` bytes to `kept`, even if the bytes end early. */
  async start(
    length: number,
    keptMax: number,
    kept: Buffer[],
    each: (part: Buffer) => void = () => {},
  ): Promise<Buffer> {
    let left = keptMax;
    await this.pass(length, (part) => {
      each(part);
      if (left > 0) kept.push(Buffer.from(part.subarray(0, left)));
      left -= part.length;
    });
    return Buffer.concat(kept);
  }

  /** Whether anything is left; throws like `take`. */
  async hasMore(): Promise<boolean> {
    while (this.#arrived === 0) {
      const next = await this.#pieces.next();
      if (next.done) return false;
      this.#receive(next.value);
    }
    return true;
  }

  /** The bytes that have arrived and were not taken, up to `bytesMax`. */
  rest(bytesMax: number): Buffer {
    const { bytes, at } = this.#piece;
    return bytes.subarray(at, at + bytesMax);
  }

  /** Ends the source. */
  async end(): Promise<void> {
    await this.#pieces.return?.();
  }

  get #arrived(): number {
    return this.#piece.bytes.length - this.#piece.at;
  }

  async #next(): Promise<void> {
    if (this.received >= this.#bytesMax) throw new TooMuch(this.#bytesMax);
    do {
      const next = await this.#pieces.next();
      if (next.done) throw new Error("it ends early");
      this.#receive(next.value);
    } while (this.#arrived === 0);
  }

  #receive(piece: Buffer): void {
    this.#behind += this.#piece.bytes.length;
    this.#piece.bytes = piece;
    this.#piece.at = 0;
  }
}

/** There are more bytes than may be read. */
export class TooMuch extends Error {
  constructor(bytesMax: number) {
    super(`it decompresses to more than ${bytesMax} bytes`);
  }
}

/** Zigzag, up to 10 bytes; exact up to 2^53. Throws for a longer one. */
export function readVarint(cursor: Cursor): number {
  const { bytes } = cursor;
  let raw = 0;
  for (let index = 0, weight = 1; index < 10; index += 1, weight *= 128) {
    const byte = bytes[cursor.at];
    if (byte === undefined) throw new Error("it ends early");
    cursor.at += 1;
    raw += (byte & 0x7f) * weight;
    if (byte < 0x80) return raw % 2 === 0 ? raw / 2 : -(raw + 1) / 2;
  }
  throw new Error("a number in it is too long");
}
