/** One received record in its partition's window, while it is unfinished. */
export interface Mark {
  readonly offset: number;
  previous: Mark | undefined;
  next: Mark | undefined;
}

/**
 * The unfinished records of one assigned partition.
 *
 * The low mark is the offset that may be committed: the oldest unfinished record, or, when all are
 * finished, the one after the newest. Offsets may have gaps. Records are received in ascending
 * order; they finish in any order, and a finished one costs no memory, however far it is ahead of
 * one that waits for hours.
 */
export class LowMark {
  #oldest: Mark | undefined;
  #newest: Mark | undefined;
  #newestOffset = -1;

  /** Undefined until the first record was received. */
  get offset(): number | undefined {
    if (this.#oldest !== undefined) return this.#oldest.offset;
    return this.#newestOffset < 0 ? undefined : this.#newestOffset + 1;
  }

  /** Whether a record at `offset` was received before. */
  has(offset: number): boolean {
    return offset <= this.#newestOffset;
  }

  /** How many offsets `offset` would be beyond the low mark; 0 when nothing is unfinished. */
  distance(offset: number): number {
    return this.#oldest === undefined ? 0 : offset - this.#oldest.offset;
  }

  receive(offset: number): Mark {
    const mark: Mark = { offset, previous: this.#newest, next: undefined };
    if (this.#newest === undefined) this.#oldest = mark;
    else this.#newest.next = mark;
    this.#newest = mark;
    this.#newestOffset = offset;
    return mark;
  }

  /** Returns whether the low mark moved. */
  finish({ previous, next }: Mark): boolean {
    if (previous === undefined) this.#oldest = next;
    else previous.next = next;
    if (next === undefined) this.#newest = previous;
    else next.previous = previous;
    return previous === undefined;
  }
}
