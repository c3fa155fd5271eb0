import type { Socket, TCPSocketListener } from "bun";

/** What is to be held, and where: a request before the server sees it, or what follows on it. */
export interface Gate {
  readonly hold: "request" | "response";
  /** Looks at what a client sends; the first chunk it is true for closes the gate. */
  readonly matches: (chunk: Buffer) => boolean;
}

interface Pair {
  readonly client: Socket<Pair>;
  server: Socket<undefined> | undefined;
  readonly early: Buffer[];
  /** Nothing passes any more, in the held direction. */
  held: Gate["hold"] | undefined;
}

/**
 * A TCP proxy on 127.0.0.1 that stops a conversation at one moment: the program behind it has then
 * certainly done all before, and certainly nothing after. Open: bytes pass. Armed: the next match
 * closes the gate of its connection for good (its process will be killed) and disarms.
 */
export class GatedProxy implements AsyncDisposable {
  readonly #listener: TCPSocketListener<Pair>;
  readonly #pairs = new Set<Pair>();
  #armed: { readonly gate: Gate; readonly reached: () => void } | undefined;

  /** `port` 0: any free one. */
  constructor(target: { readonly host: string; readonly port: number }, port = 0) {
    this.#listener = Bun.listen<Pair>({
      hostname: "127.0.0.1",
      port,
      socket: {
        open: (client) => void this.#join(client, target),
        data: (client, bytes) => this.#onRequest(client.data, bytes),
        close: (client) => {
          client.data?.server?.end();
          this.#pairs.delete(client.data);
        },
      },
    });
  }

  get port(): number {
    return this.#listener.port;
  }

  /** Resolves when the gate has closed. */
  arm(gate: Gate): Promise<void> {
    return new Promise((resolve) => {
      this.#armed = { gate, reached: resolve };
    });
  }

  /** Cuts every connection; new ones pass. */
  cut(): void {
    this.#armed = undefined;
    for (const pair of this.#pairs) pair.client.terminate();
  }

  async [Symbol.asyncDispose](): Promise<void> {
    this.cut();
    this.#listener.stop(true);
  }

  async #join(client: Socket<Pair>, target: { host: string; port: number }): Promise<void> {
    const pair: Pair = { client, server: undefined, early: [], held: undefined };
    client.data = pair;
    this.#pairs.add(pair);
    try {
      pair.server = await Bun.connect<undefined>({
        hostname: target.host,
        port: target.port,
        data: undefined,
        socket: {
          data: (_, bytes) => {
            if (pair.held === undefined) client.write(bytes);
          },
          close: () => void client.end(),
        },
      });
    } catch {
      client.terminate(); // nobody listens there now
      return;
    }
    for (const bytes of pair.early.splice(0)) this.#pass(pair, bytes);
  }

  #onRequest(pair: Pair, bytes: Buffer): void {
    if (pair.held === "request") return;
    const armed = this.#armed;
    if (armed?.gate.matches(bytes)) {
      this.#armed = undefined;
      pair.held = armed.gate.hold;
      if (pair.held === "response") this.#pass(pair, bytes);
      armed.reached();
      return;
    }
    this.#pass(pair, bytes);
  }

  #pass(pair: Pair, bytes: Buffer): void {
    if (pair.server === undefined) pair.early.push(Buffer.from(bytes));
    else pair.server.write(bytes);
  }
}
