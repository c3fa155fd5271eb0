/** One received record in its partition's window, while it is unfinished. */
export interface UnfinishedRecord {
  readonly offset: number;
  previous: UnfinishedRecord | undefined;
  next: UnfinishedRecord | undefined;
}

/**
 * The unfinished records of one assigned partition.
 *
 * The low watermark is the offset that may be committed: the oldest unfinished record, or, when all
 * are finished, the position: the offset up to which everything was read. That is at least the one
 * after the newest record, or further where no records follow (transaction markers, aborted
 * records, what compaction removed). Offsets may have gaps. Records are received in ascending order
 * and finish in any order; a finished one uses no memory, however far it is ahead of one that waits
 * for hours.
 */
class Window {
  #oldest: UnfinishedRecord | undefined;
  #newest: UnfinishedRecord | undefined;
  #position: number | undefined;

  /** Undefined until something was read. */
  get lowWatermark(): number | undefined {
    return this.#oldest === undefined ? this.#position : this.#oldest.offset;
  }

  /** Whether `offset` was already received. */
  has(offset: number): boolean {
    return this.#position !== undefined && offset < this.#position;
  }

  /** How far `offset` would be beyond the low watermark; 0 when nothing is unfinished. */
  distance(offset: number): number {
    return this.#oldest === undefined ? 0 : offset - this.#oldest.offset;
  }

  receive(offset: number): UnfinishedRecord {
    const mark: UnfinishedRecord = { offset, previous: this.#newest, next: undefined };
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

  /** Returns whether the low watermark moved. */
  finish(mark: UnfinishedRecord): boolean {
    const { previous, next } = mark;
    if (previous === undefined) this.#oldest = next;
    else previous.next = next;
    if (next === undefined) this.#newest = previous;
    else next.previous = previous;
    mark.previous = undefined; // a dead one that the garbage collector has not reached yet
    mark.next = undefined; //     would keep all that follow
    return previous === undefined;
  }
}

export interface PartitionOffset {
  readonly partition: number;
  readonly offset: number;
}

/** One assignment of a partition; a reassigned partition gets a new one. */
export interface Assigned {
  readonly partition: number;
  readonly window: Window;
  /** The offset that was refused; undefined while the partition may be fetched. */
  refused: number | undefined;
  /** The offset that is committed; undefined until it is known. */
  committed: number | undefined;
}

/** Whether its low watermark is ahead of the committed offset. */
export function hasUncommitted({ window: { lowWatermark }, committed }: Assigned): boolean {
  return lowWatermark !== undefined && committed !== undefined && lowWatermark > committed;
}

/** The assigned partitions, and how far each is committed. */
export class Assignment {
  readonly #assigned = new Map<number, Assigned>();

  get partitions(): readonly number[] {
    return [...this.#assigned.keys()].sort((a, b) => a - b);
  }

  find(partition: number): Assigned | undefined {
    return this.#assigned.get(partition);
  }

  add(partition: number): void {
    const window = new Window();
    this.#assigned.set(partition, { partition, window, refused: undefined, committed: undefined });
  }

  /** Returns those of `partitions` that were assigned. */
  remove(partitions: Iterable<number>): ReadonlySet<Assigned> {
    const removed = new Set<Assigned>();
    for (const partition of partitions) {
      const assigned = this.#assigned.get(partition);
      if (assigned === undefined) continue;
      this.#assigned.delete(partition);
      removed.add(assigned);
    }
    return removed;
  }

  uncommitted(): readonly PartitionOffset[] {
    const offsets: PartitionOffset[] = [];
    for (const assigned of this.#assigned.values()) {
      const { partition, window } = assigned;
      if (window.lowWatermark === undefined || !hasUncommitted(assigned)) continue;
      offsets.push({ partition, offset: window.lowWatermark });
    }
    return offsets;
  }

  markCommitted(offsets: Iterable<PartitionOffset>): void {
    for (const { partition, offset } of offsets) {
      const assigned = this.#assigned.get(partition);
      if (assigned?.committed === undefined) continue;
      assigned.committed = Math.max(assigned.committed, offset);
    }
  }
}

/** Runs in flight whose partition was revoked, by partition and offset. */
export class Orphans<T> {
  readonly #partitions = new Map<number, Map<number, T>>();

  /** The usual case. */
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
