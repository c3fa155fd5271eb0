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
 * finished, the position: the offset up to which everything was read. That is at least the one after
 * the newest record, and further where nothing that follows is a record for us (the markers of
 * transactions, aborted records, what compaction removed). Offsets may have gaps. Records are
 * received in ascending order; they finish in any order, and a finished one costs no memory, however
 * far it is ahead of one that waits for hours.
 */
export class LowMark {
  #oldest: Mark | undefined;
  #newest: Mark | undefined;
  #position: number | undefined;

  /** Undefined until something was read. */
  get offset(): number | undefined {
    if (this.#oldest !== undefined) return this.#oldest.offset;
    return this.#position;
  }

  /** Whether `offset` was read before. */
  has(offset: number): boolean {
    return this.#position !== undefined && offset < this.#position;
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
    this.#position = offset + 1;
    return mark;
  }

  /** All records before `position` were received; never goes back. */
  advance(position: number): void {
    if (!this.has(position)) this.#position = position;
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
