import type { Socket } from "node:net";
import type { Readable } from "node:stream";

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

const dot = Buffer.from(".");
const finalDot = Buffer.from(".\r\n");
const dottedLine = Buffer.from("\r\n.");

/** RFC 5321, 4.5.2: a line that begins with a dot gets one more. */
function stuffed(bytes: Buffer): Buffer {
  const pieces: Buffer[] = bytes[0] === dot[0] ? [dot] : [];
  let from = 0;
  for (let at = bytes.indexOf(dottedLine); at >= 0; at = bytes.indexOf(dottedLine, from)) {
    pieces.push(bytes.subarray(from, at + 2), dot);
    from = at + 2;
  }
  return pieces.length === 0 ? bytes : Buffer.concat([...pieces, bytes.subarray(from)]);
}
