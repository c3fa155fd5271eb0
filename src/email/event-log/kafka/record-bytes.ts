/**
 * Reads fields from bytes that arrive in pieces. It buffers only what a `take` waits for. Reads
 * throw when the bytes end, fail, or exceed `bytesMax`.
 */
export class RecordBytes {
  readonly #pieces: AsyncIterator<Buffer> | Iterator<Buffer>;
  readonly #bytesMax: number;
  #piece: Buffer = Buffer.alloc(0);
  #at = 0;
  #behind = 0;

  constructor(pieces: AsyncIterable<Buffer> | Iterable<Buffer>, bytesMax: number) {
    this.#pieces =
      Symbol.asyncIterator in pieces ? pieces[Symbol.asyncIterator]() : pieces[Symbol.iterator]();
    this.#bytesMax = bytesMax;
  }

  /** How many bytes were taken. */
  get position(): number {
    return this.#behind + this.#at;
  }

  /** How many bytes have arrived. */
  get received(): number {
    return this.#behind + this.#piece.length;
  }

  /** A zigzag varint; undefined unless 10 bytes, the longest number, have arrived. */
  varintNow(): number | undefined {
    if (this.#piece.length - this.#at < 10) return undefined;
    const read = readVarint(this.#piece, this.#at);
    this.#at = read.end;
    return read.value;
  }

  async varint(): Promise<number> {
    let bytes = Buffer.alloc(0);
    do {
      bytes = Buffer.concat([bytes, await this.take(1)]);
    } while ((bytes.at(-1) ?? 0) >= 0x80);
    return readVarint(bytes, 0).value;
  }

  /** Shares the bytes; undefined unless all of them are in the current piece. */
  takeNow(length: number): Buffer | undefined {
    const end = this.#at + length;
    if (length < 0 || end > this.#piece.length) return undefined;
    const taken = this.#piece.subarray(this.#at, end);
    this.#at = end;
    return taken;
  }

  /** If the bytes end first, `rest` has the remainder. */
  async take(length: number): Promise<Buffer> {
    const now = this.takeNow(length);
    if (now !== undefined) return now;
    const parts: Buffer[] = [];
    try {
      await this.pass(length, (part) => parts.push(part));
    } catch (error) {
      this.#piece = Buffer.concat(parts);
      this.#behind -= this.#piece.length;
      this.#at = 0;
      throw error;
    }
    return Buffer.concat(parts);
  }

  /** Passes the next `length` bytes to `each` in parts and keeps none. */
  async pass(length: number, each: (part: Buffer) => void): Promise<void> {
    if (length < 0) throw new Error("a length in it is negative");
    for (let left = length; left > 0; ) {
      if (this.#at === this.#piece.length) await this.#next();
      const part = this.takeNow(Math.min(left, this.#piece.length - this.#at)) ?? this.#piece;
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
    while (this.#at === this.#piece.length) {
      const next = await this.#pieces.next();
      if (next.done) return false;
      this.#receive(next.value);
    }
    return true;
  }

  /** The bytes that have arrived and were not taken, up to `bytesMax`. */
  rest(bytesMax: number): Buffer {
    return this.#piece.subarray(this.#at, this.#at + bytesMax);
  }

  /** Ends the source. */
  async end(): Promise<void> {
    await this.#pieces.return?.();
  }

  async #next(): Promise<void> {
    if (this.received >= this.#bytesMax) throw new TooMuch(this.#bytesMax);
    do {
      const next = await this.#pieces.next();
      if (next.done) throw new Error("it ends early");
      this.#receive(next.value);
    } while (this.#piece.length === 0);
  }

  #receive(piece: Buffer): void {
    this.#behind += this.#piece.length;
    this.#piece = piece;
    this.#at = 0;
  }
}

/** There are more bytes than may be read. */
export class TooMuch extends Error {
  constructor(bytesMax: number) {
    super(`it decompresses to more than ${bytesMax} bytes`);
  }
}

/** Zigzag, up to 10 bytes; exact up to 2^53. Throws for a longer one. */
export function readVarint(bytes: Buffer, at: number) {
  let raw = 0;
  for (let index = 0; index < 10; index += 1) {
    const byte = bytes[at + index];
    if (byte === undefined) throw new Error("it ends early");
    raw += (byte & 0x7f) * 2 ** (7 * index);
    if (byte < 0x80) {
      return { value: raw % 2 === 0 ? raw / 2 : -(raw + 1) / 2, end: at + index + 1 };
    }
  }
  throw new Error("a number in it is too long");
}
