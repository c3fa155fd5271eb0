import type { InstantError } from "../../../core/errors.ts";
import type { OutgoingRecord, RecordPosition } from "../event-log.ts";
import { batchHeadBytes } from "./batch-head.ts";
import { unavailable } from "./client.ts";

/**
 * One call of `publish`: some records that resolve or reject together.
 *
 * Open: some records are not acknowledged. Settled: all are, or one failed, or the deadline passed;
 * later results of its records have no effect.
 */
export class Publication {
  readonly #positions: (RecordPosition | undefined)[];
  readonly #settled = Promise.withResolvers<readonly RecordPosition[]>();
  readonly #timer: ReturnType<typeof setTimeout>;
  #missing: number;
  #isOpen = true;
  #onSettled: (() => void) | undefined;

  constructor(recordCount: number, deadlineMs: number) {
    this.#missing = recordCount;
    this.#positions = new Array(recordCount).fill(undefined);
    this.#timer = setTimeout(() => {
      this.reject(unavailable(`no acknowledgement within ${deadlineMs} ms`));
    }, deadlineMs);
    if (recordCount === 0) this.#settle(() => this.#settled.resolve([]));
  }

  get isOpen(): boolean {
    return this.#isOpen;
  }

  get positions(): Promise<readonly RecordPosition[]> {
    return this.#settled.promise;
  }

  /** Calls `then` once when it settles, at once when it already has; one listener at a time. */
  whenSettled(then: () => void): void {
    if (this.#isOpen) this.#onSettled = then;
    else then();
  }

  acknowledge(index: number, position: RecordPosition): void {
    if (!this.#isOpen || this.#positions[index] !== undefined) return;
    this.#positions[index] = position;
    this.#missing -= 1;
    if (this.#missing > 0) return;
    const positions = this.#positions.filter((each) => each !== undefined);
    this.#settle(() => this.#settled.resolve(positions));
  }

  reject(error: InstantError): void {
    if (this.#isOpen) this.#settle(() => this.#settled.reject(error));
  }

  #settle(settle: () => void): void {
    this.#isOpen = false;
    clearTimeout(this.#timer);
    settle();
    this.#onSettled?.();
  }
}

/** A record that waits to be sent, and the publication it belongs to. */
export interface QueuedRecord {
  readonly record: OutgoingRecord;
  /** See `recordBytesBound`. */
  readonly bytes: number;
  readonly publication: Publication;
  /** Its index in the publication. */
  readonly index: number;
  /** A batch with it was too large: it is sent alone. */
  alone: boolean;
}

interface BatchBounds {
  readonly recordsMax: number;
  readonly bytesMax: number;
}

/**
 * Records that wait to be sent, first in, first out; those of a settled publication are dropped.
 */
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

  /** Puts records back at the front, in their order. */
  unshift(records: readonly QueuedRecord[]): void {
    this.#records = [...records, ...this.#records.slice(this.#head)];
    this.#head = 0;
    for (const { bytes } of records) this.#bytes += bytes;
  }

  /** The next batch within the bounds; a record over them, or marked alone, is a batch by itself. */
  take({ recordsMax, bytesMax }: BatchBounds): readonly QueuedRecord[] {
    const batch: QueuedRecord[] = [];
    let bytes = batchHeadBytes;
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
