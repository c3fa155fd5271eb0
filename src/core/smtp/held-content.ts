import type { Socket } from "node:net";
import type { Readable } from "node:stream";

/** RFC 5321, 4.5.2: a line that begins with a dot gets one more. */
const dotted = /(^|\r\n)\./g;

/**
 * A message's content, whose end is held back: nothing can be accepted before `letGo` wrote the
 * final dot. It stands where nodemailer expects a stream, and writes to the connection itself:
 * nodemailer's streams look at each byte, and cost as much as the rest of a message together.
 *
 * Waiting: the server has not agreed to DATA. Asked: it has, `onAsked` was called and the bytes are
 * on their way. Handed over: the system took them all, `onHandedOver` was called. Ended: `letGo` was
 * called. Whoever closes the connection before has sent no dot.
 */
export class HeldContent {
  readonly #bytes: Buffer;
  readonly #socket: () => Socket | false | null;
  readonly #onAsked: () => void;
  readonly #onHandedOver: () => void;

  /** `bytes`: lines ended by CRLF, the last one too, and no CR or LF elsewhere. */
  constructor(
    bytes: Buffer,
    hooks: {
      readonly socket: () => Socket | false | null;
      readonly onAsked: () => void;
      readonly onHandedOver: () => void;
    },
  ) {
    this.#bytes = bytes;
    this.#socket = hooks.socket;
    this.#onAsked = hooks.onAsked;
    this.#onHandedOver = hooks.onHandedOver;
  }

  /** As of a stream, and all that nodemailer asks of one; it would write `stream` to the socket. */
  pipe(stream: Readable): void {
    stream.unpipe();
    this.#onAsked();
    this.#write(stuffed(this.#bytes), (error) => {
      if (!error) this.#onHandedOver(); // else the connection says that it broke
    });
  }

  letGo(): void {
    this.#write(finalDot);
  }

  #write(bytes: Buffer, onTaken?: (error?: Error | null) => void): void {
    const socket = this.#socket();
    if (socket) socket.write(bytes, onTaken);
  }
}

const finalDot = Buffer.from(".\r\n");

function stuffed(bytes: Buffer): Buffer {
  if (!bytes.includes("\r\n.") && bytes[0] !== 0x2e) return bytes;
  return Buffer.from(bytes.toString("latin1").replace(dotted, "$1.."), "latin1");
}
