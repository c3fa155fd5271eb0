/** Runs in flight whose partition was revoked, by partition and offset. */
export class Orphans<T> {
  readonly #partitions = new Map<number, Map<number, T>>();

  /** Whether there is none: the usual case. */
  get isEmpty(): boolean {
    return this.#partitions.size === 0;
  }

  add(partition: number, offset: number, run: T): void {
    const offsets = this.#partitions.get(partition);
    if (offsets === undefined) this.#partitions.set(partition, new Map([[offset, run]]));
    else offsets.set(offset, run);
  }

  /** Removes and returns the run of this record, if there is one. */
  take(partition: number, offset: number): T | undefined {
    const offsets = this.#partitions.get(partition);
    const run = offsets?.get(offset);
    offsets?.delete(offset);
    if (offsets?.size === 0) this.#partitions.delete(partition);
    return run;
  }
}
