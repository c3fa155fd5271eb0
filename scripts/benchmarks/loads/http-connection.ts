/**
 * One kept connection of an HTTP/1.1 client that costs little: what is sent was written by the
 * caller, and of the answer only the status and the end are looked for. One request at a time.
 */
export class HttpConnection {
  readonly #socket: Bun.Socket<undefined>;
  readonly #onAnswer: AnswerHandler;
  #received = "";

  private constructor(socket: Bun.Socket<undefined>, onAnswer: AnswerHandler) {
    this.#socket = socket;
    this.#onAnswer = onAnswer;
  }

  /** `onAnswer` hears of each answer; status 0: the connection ended, or spoke something else. */
  static async open(url: URL, onAnswer: AnswerHandler): Promise<HttpConnection> {
    const { promise, resolve } = Promise.withResolvers<HttpConnection>();
    let connection: HttpConnection;
    await Bun.connect<undefined>({
      hostname: url.hostname,
      port: Number(url.port),
      socket: {
        open: (socket) => {
          socket.setNoDelay(true);
          connection = new HttpConnection(socket, onAnswer);
          resolve(connection);
        },
        data: (_, bytes) => connection.#read(bytes.toString("latin1")),
        close: () => connection.#fail(),
        error: () => connection.#fail(),
      },
    });
    return promise;
  }

  /** A whole request, head and body. Small enough for any socket's buffer. */
  send(request: string): void {
    this.#socket.write(request);
  }

  close(): void {
    this.#received = closed;
    this.#socket.end();
  }

  #read(text: string): void {
    if (this.#received === closed) return;
    this.#received += text;
    const headEnd = this.#received.indexOf("\r\n\r\n");
    if (headEnd < 0) return;
    const head = this.#received.slice(0, headEnd);
    const length = /\r\ncontent-length: *(\d+)/i.exec(head)?.[1];
    if (length === undefined) {
      this.#fail(); // every answer that is measured has one
      return;
    }
    const end = headEnd + 4 + Number(length);
    if (this.#received.length < end) return;
    const body = this.#received.slice(headEnd + 4, end);
    this.#received = "";
    this.#onAnswer({ status: Number(head.slice(9, 12)), body }, this);
  }

  #fail(): void {
    if (this.#received === closed) return;
    this.close();
    this.#onAnswer({ status: 0, body: "the connection ended" }, this);
  }
}

export interface HttpAnswer {
  readonly status: number;
  readonly body: string;
}

type AnswerHandler = (answer: HttpAnswer, connection: HttpConnection) => void;

/** No answer begins like this. */
const closed = "\0";
