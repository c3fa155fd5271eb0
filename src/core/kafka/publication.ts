import { coreErrors } from "../error-codes.ts";
import { InstantError } from "../errors.ts";
import type { KafkaPosition, KafkaRecord } from "./record.ts";

/**
 * One call of `publish`: some records that resolve or reject together.
 *
 * Open: some records are not acknowledged. Settled: all are, or one failed, or the deadline came;
 * what happens to its records afterwards changes nothing.
 */
export class Publication {
  readonly #positions: (KafkaPosition | undefined)[];
  readonly #settled = Promise.withResolvers<readonly KafkaPosition[]>();
  readonly #timer: ReturnType<typeof setTimeout>;
  #missing: number;
  #isOpen = true;
  #onSettled: (() => void) | undefined;

  constructor(recordCount: number, deadlineMs: number) {
    this.#missing = recordCount;
    this.#positions = new Array(recordCount).fill(undefined);
    this.#timer = setTimeout(() => {
      this.reject(
        new InstantError(coreErrors.kafkaUnavailable, {
          detail: `no acknowledgement within ${deadlineMs} ms`,
        }),
      );
    }, deadlineMs);
    if (recordCount === 0) this.#settle(() => this.#settled.resolve([]));
  }

  get isOpen(): boolean {
    return this.#isOpen;
  }

  get positions(): Promise<readonly KafkaPosition[]> {
    return this.#settled.promise;
  }

  /** Calls `then` once when it is settled, at once when it is already; one listener at a time. */
  whenSettled(then: () => void): void {
    if (this.#isOpen) this.#onSettled = then;
    else then();
  }

  acknowledge(index: number, position: KafkaPosition): void {
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

/** A record on its way, and whose it is. */
export interface QueuedRecord {
  readonly record: KafkaRecord;
  readonly bytes: number;
  readonly publication: Publication;
  /** Its place in the publication. */
  readonly index: number;
  /** A batch that it was part of was too large: it goes without mates. */
  alone: boolean;
}
