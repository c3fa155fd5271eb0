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
 * finished, the position: the offset up to which everything was read. That is at least the one after
 * the newest record, and further where nothing that follows is a record for us (the markers of
 * transactions, aborted records, what compaction removed). Offsets may have gaps. Records are
 * received in ascending order; they finish in any order.
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
    const mark: Mark = { offset, finished: false, next: undefined };
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
