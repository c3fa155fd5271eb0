/** Reads the values of Kafka's protocol one after the other. Throws a RangeError beyond the end. */
export class WireReader {
  readonly #bytes: Buffer;
  #at = 0;

  constructor(bytes: Buffer) {
    this.#bytes = bytes;
  }

  boolean(): boolean {
    this.#at += 1;
    return this.#bytes.readInt8(this.#at - 1) !== 0;
  }

  int16(): number {
    this.#at += 2;
    return this.#bytes.readInt16BE(this.#at - 2);
  }

  int32(): number {
    this.#at += 4;
    return this.#bytes.readInt32BE(this.#at - 4);
  }

  /** Null, a length below 0, is the empty text. */
  text(): string {
    const length = Math.max(this.int16(), 0);
    return this.#take(length).toString("utf8");
  }

  bytes(): Buffer {
    const length = Math.max(this.int32(), 0);
    return this.#take(length);
  }

  list<T>(read: () => T): T[] {
    const items: T[] = [];
    for (let left = this.int32(); left > 0; left -= 1) items.push(read());
    return items;
  }

  #take(length: number): Buffer {
    if (this.#at + length > this.#bytes.length) throw new RangeError("the answer is cut off");
    this.#at += length;
    return this.#bytes.subarray(this.#at - length, this.#at);
  }
}

export function wireInt16(value: number): Buffer {
  const bytes = Buffer.alloc(2);
  bytes.writeInt16BE(value);
  return bytes;
}

export function wireInt32(value: number): Buffer {
  const bytes = Buffer.alloc(4);
  bytes.writeInt32BE(value);
  return bytes;
}

export function wireText(value: string): Buffer {
  const bytes = Buffer.from(value, "utf8");
  return Buffer.concat([wireInt16(bytes.length), bytes]);
}

export function wireTexts(values: readonly string[]): Buffer {
  return Buffer.concat([wireInt32(values.length), ...values.map(wireText)]);
}

export function wireBoolean(value: boolean): Buffer {
  return Buffer.from([value ? 1 : 0]);
}
