/** One received record in its partition's window. */
export interface Mark {
  readonly offset: number;
  finished: boolean;
  next: Mark | undefined;
}

/**
 * The records of one assigned partition between the low mark and the newest one received.
 *
 * The low mark is the offset that may be committed: the oldest unfinished record, or, when all are
 * finished, the one after the newest. Offsets may have gaps. Records are received in ascending
 * order; they finish in any order.
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
    const mark: Mark = { offset, finished: false, next: undefined };
    if (this.#newest === undefined) this.#oldest = mark;
    else this.#newest.next = mark;
    this.#newest = mark;
    this.#newestOffset = offset;
    return mark;
  }

  /** Returns whether the low mark moved. */
  finish(mark: Mark): boolean {
    mark.finished = true;
    if (mark !== this.#oldest) return false;
    let oldest: Mark | undefined = mark;
    while (oldest?.finished) oldest = oldest.next;
    this.#oldest = oldest;
    if (oldest === undefined) this.#newest = undefined;
    return true;
  }
}
