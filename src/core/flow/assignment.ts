import { LowMark } from "./low-mark.ts";

export interface PartitionOffset {
  readonly partition: number;
  readonly offset: number;
}

/** One assignment of a partition; a partition that comes back gets a new one. */
export interface Assigned {
  readonly partition: number;
  readonly lowMark: LowMark;
  /** The offset that was refused; undefined while the partition may be fetched. */
  refused: number | undefined;
  /** What need not be committed again; undefined until it is known. */
  committed: number | undefined;
}

/** Whether its low mark is ahead of what was committed. */
export function isAhead({ lowMark, committed }: Assigned): boolean {
  return lowMark.offset !== undefined && committed !== undefined && lowMark.offset > committed;
}

/** The partitions that are held now, and how far each is committed. */
export class Assignment {
  readonly #assigned = new Map<number, Assigned>();

  get partitions(): readonly number[] {
    return [...this.#assigned.keys()].sort((a, b) => a - b);
  }

  find(partition: number): Assigned | undefined {
    return this.#assigned.get(partition);
  }

  add(partition: number): void {
    const lowMark = new LowMark();
    this.#assigned.set(partition, { partition, lowMark, refused: undefined, committed: undefined });
  }

  /** Those of `partitions` that were held. */
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
      const { partition, lowMark } = assigned;
      if (lowMark.offset === undefined || !isAhead(assigned)) continue;
      offsets.push({ partition, offset: lowMark.offset });
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
