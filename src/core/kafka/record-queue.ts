import type { QueuedRecord } from "./publication.ts";
import { batchOverheadBytes } from "./record.ts";

export interface BatchBounds {
  readonly recordsMax: number;
  readonly bytesMax: number;
}

/** Records that wait to be sent, first in, first out; those whose publication is settled vanish. */
export class RecordQueue {
  #records: QueuedRecord[] = [];
  #head = 0;
  #bytes = 0;

  get bytes(): number {
    return this.#bytes;
  }

  get length(): number {
    return this.#records.length - this.#head;
  }

  push(record: QueuedRecord): void {
    this.#records.push(record);
    this.#bytes += record.bytes;
  }

  /** Puts records back to the front, in their order. */
  unshift(records: readonly QueuedRecord[]): void {
    this.#records = [...records, ...this.#records.slice(this.#head)];
    this.#head = 0;
    for (const { bytes } of records) this.#bytes += bytes;
  }

  /** The next batch within the bounds; a record over them, or marked alone, is a batch of its own. */
  take({ recordsMax, bytesMax }: BatchBounds): readonly QueuedRecord[] {
    const batch: QueuedRecord[] = [];
    let bytes = batchOverheadBytes;
    for (let next = this.#peek(); next !== undefined; next = this.#peek()) {
      const fits = bytes + next.bytes <= bytesMax && !next.alone && !batch[0]?.alone;
      if (batch.length > 0 && (!fits || batch.length >= recordsMax)) break;
      this.#shift(next);
      batch.push(next);
      bytes += next.bytes;
    }
    return batch;
  }

  /** Empties the queue. */
  takeAll(): readonly QueuedRecord[] {
    const all = this.#records.slice(this.#head);
    this.#records = [];
    this.#head = 0;
    this.#bytes = 0;
    return all;
  }

  #peek(): QueuedRecord | undefined {
    for (;;) {
      const next = this.#records[this.#head];
      if (next === undefined || next.publication.isOpen) return next;
      this.#shift(next);
    }
  }

  #shift(record: QueuedRecord): void {
    this.#head += 1;
    this.#bytes -= record.bytes;
    if (this.#head < 1_000 || this.#head * 2 < this.#records.length) return;
    this.#records = this.#records.slice(this.#head);
    this.#head = 0;
  }
}
