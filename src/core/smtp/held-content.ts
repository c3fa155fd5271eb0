import { Readable } from "node:stream";

/**
 * A message's content as a stream whose end is held back: nodemailer writes the final dot when the
 * stream ends, so nothing can be accepted before `letGo` is called.
 *
 * Waiting: nobody asked for bytes; the server has not agreed to DATA. Handed over: the bytes were
 * taken in one piece, `onHandedOver` was called. Ended: `letGo` was called. Destroyed, from any
 * state: no dot will be written, and the connection must be closed by its owner.
 */
export class HeldContent extends Readable {
  readonly #bytes: Buffer;
  readonly #onAsked: () => void;
  readonly #onHandedOver: () => void;
  #reads = 0;

  constructor(
    bytes: Buffer,
    hooks: { readonly onAsked: () => void; readonly onHandedOver: () => void },
  ) {
    super({ highWaterMark: 1 }); // asks again only when the piece before was taken
    this.#bytes = bytes;
    this.#onAsked = hooks.onAsked;
    this.#onHandedOver = hooks.onHandedOver;
  }

  letGo(): void {
    this.push(null);
  }

  override _read(): void {
    this.#reads += 1;
    if (this.#reads === 1) {
      this.#onAsked();
      this.push(this.#bytes);
    } else if (this.#reads === 2) this.#onHandedOver();
  }
}
