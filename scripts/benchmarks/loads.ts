/**
 * The HTTP clients of the rows, cheap enough not to be what is measured. Run as a script this is a
 * load as a process of its own, the same for both sides of a row: `bun loads.ts '<HttpLoad>'`
 * prints requests per second as a `Measured`.
 */
import type { Measured } from "./benchmark.ts";

/**
 * One kept-open HTTP/1.1 connection: the caller writes the request, and of the response only the
 * status, the length and the body are read. One request at a time.
 */
export class HttpConnection {
  readonly #socket: Bun.Socket<undefined>;
  readonly #onAnswer: AnswerHandler;
  #received = "";

  private constructor(socket: Bun.Socket<undefined>, onAnswer: AnswerHandler) {
    this.#socket = socket;
    this.#onAnswer = onAnswer;
  }

  /** `onAnswer` gets each response; status 0: the connection ended, or it was not HTTP. */
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

  /** A whole request, head and body; small enough for any socket buffer. */
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
      this.#fail(); // every response that is measured has one
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

interface HttpAnswer {
  readonly status: number;
  readonly body: string;
}

type AnswerHandler = (answer: HttpAnswer, connection: HttpConnection) => void;

/** No response starts like this. */
const closed = "\0";

/** Addresses of one run don't occur in another. */
const run = crypto.randomUUID().slice(0, 8);

export function addressOf(number: number): string {
  return `${run}-${number}@example.com`;
}

/**
 * The `number`th `POST /auth/request-code` of this process, for an address of its own and from a
 * client IP of its own, as a trusted proxy would forward it.
 */
export function codeRequest(host: string, number: number): string {
  const body = `{"email":"${addressOf(number)}"}`;
  const client = `10.${(number >> 16) & 255}.${(number >> 8) & 255}.${number & 255}`;
  return `POST /auth/request-code HTTP/1.1\r\nHost: ${host}\r\nContent-Type: application/json\r\nX-Forwarded-For: ${client}\r\nContent-Length: ${body.length}\r\n\r\n${body}`;
}

function sessionRequest(host: string, token: string): string {
  return `GET /auth/session HTTP/1.1\r\nHost: ${host}\r\nAuthorization: Bearer ${token}\r\n\r\n`;
}

/** Requests sent without waiting for responses: each on a free connection or on a new one. */
export class OpenHttpLoad implements AsyncDisposable {
  readonly host: string;
  readonly #url: URL;
  readonly #all: HttpConnection[] = [];
  readonly #free: HttpConnection[] = [];
  #failure: Error | undefined;

  constructor(url: string) {
    this.#url = new URL(url);
    this.host = this.#url.host;
  }

  send(request: string): void {
    const connection = this.#free.pop();
    if (connection !== undefined) connection.send(request);
    else void this.#open(request);
  }

  /** The first response that was not 200. */
  throwIfFailed(): void {
    if (this.#failure !== undefined) throw this.#failure;
  }

  async [Symbol.asyncDispose](): Promise<void> {
    for (const connection of this.#all) connection.close();
  }

  async #open(request: string): Promise<void> {
    try {
      const connection = await HttpConnection.open(this.#url, ({ status, body }, from) => {
        if (status === 200) this.#free.push(from);
        else this.#failure ??= new Error(`answered ${status}: ${body.slice(0, 500)}`);
      });
      this.#all.push(connection);
      connection.send(request);
    } catch (error) {
      this.#failure ??= error as Error;
    }
  }
}

/**
 * Calls `act` `calls` times at a steady rate without waiting for it: a client that waits for a slow
 * answer does not see how slow the server is for the others. Resolves after the last call.
 */
export async function openLoop(perSecond: number, calls: number, act: () => void): Promise<void> {
  const startedAt = performance.now();
  for (let number = 0; number < calls; number += 1) {
    const dueMs = startedAt + (number * 1000) / perSecond - performance.now();
    if (dueMs > 0) await Bun.sleep(dueMs);
    act();
  }
}

/** percentile(values, 0.99) is the p99. */
export function percentile(values: readonly number[], share: number): number {
  const sorted = values.toSorted((a, b) => a - b);
  return sorted[Math.min(sorted.length - 1, Math.floor(sorted.length * share))] ?? Number.NaN;
}

export interface HttpLoad {
  readonly url: string;
  readonly kind: "request-code" | "session";
  /** The session to check, with kind "session". */
  readonly token?: string;
  readonly clients: number;
  readonly warmUp: number;
  readonly requests: number;
}

/**
 * A closed loop: each client has a connection and sends its next request on the response to the
 * last. Timed from the last response of the warm-up; throws at the first that is not 200.
 */
async function runClosedLoop(load: HttpLoad): Promise<Measured> {
  const { clients, warmUp, requests } = load;
  const url = new URL(load.url);
  const session = sessionRequest(url.host, load.token ?? "");
  const next = (number: number) =>
    load.kind === "session" ? session : codeRequest(url.host, number);
  const { promise, resolve, reject } = Promise.withResolvers<Measured>();
  let [answered, sent, startedAt] = [0, 0, 0];
  const connections: HttpConnection[] = [];
  for (let client = 0; client < clients; client += 1) {
    const connection = await HttpConnection.open(url, ({ status, body }, from) => {
      if (status !== 200) return reject(new Error(`answered ${status}: ${body.slice(0, 500)}`));
      answered += 1;
      if (answered === warmUp) startedAt = performance.now();
      if (answered === warmUp + requests) {
        return resolve({ value: (requests * 1000) / (performance.now() - startedAt) });
      }
      from.send(next(sent++));
    });
    connections.push(connection);
  }
  for (const connection of connections) connection.send(next(sent++));
  return promise.finally(() => {
    for (const connection of connections) connection.close();
  });
}

if (import.meta.main) {
  try {
    console.log(JSON.stringify(await runClosedLoop(JSON.parse(process.argv[2] ?? ""))));
  } catch (error) {
    console.error((error as Error).message);
    process.exitCode = 1;
  }
}
