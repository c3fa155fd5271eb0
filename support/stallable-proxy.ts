import type { Socket, TCPSocketListener } from "bun";

interface Pair {
  readonly client: Socket<Pair>;
  server: Socket<undefined> | undefined;
  early: Buffer[];
}

/**
 * A TCP proxy to `target` ("127.0.0.1:5432") that can play dead: while stalled it takes connections
 * and bytes and answers nothing, as a frozen server or a network that drops packets does; or it cuts
 * them.
 */
export class StallableProxy implements AsyncDisposable {
  readonly #listener: TCPSocketListener<Pair>;
  readonly #pairs = new Set<Pair>();
  #target: URL;
  #stalled = false;
  #cutting = false;

  constructor(target: string) {
    this.#target = new URL(`tcp://${target}`);
    this.#listener = Bun.listen<Pair>({
      hostname: "127.0.0.1",
      port: 0,
      socket: {
        open: (client) => void this.#join(client),
        data: (client, bytes) => this.#forward(client.data, bytes),
        close: (client) => {
          client.data.server?.end();
          this.#pairs.delete(client.data);
        },
      },
    });
  }

  get port(): number {
    return this.#listener.port;
  }

  /** Bytes of existing connections are dropped from now on, and new ones lead nowhere. */
  stall(): void {
    this.#stalled = true;
  }

  /** Existing connections end, and new ones at once, as with a server that is gone. */
  cut(): void {
    this.#cutting = true;
    for (const pair of this.#pairs) pair.client.terminate();
  }

  /** New connections lead to `target` from now on; those that are open stay where they are. */
  moveTo(target: string): void {
    this.#target = new URL(`tcp://${target}`);
  }

  /** New connections work again; those that lost bytes are cut. */
  resume(): void {
    this.#stalled = false;
    this.#cutting = false;
    for (const pair of this.#pairs) pair.client.terminate();
  }

  async [Symbol.asyncDispose](): Promise<void> {
    for (const pair of this.#pairs) pair.client.terminate();
    this.#listener.stop(true);
  }

  async #join(client: Socket<Pair>): Promise<void> {
    const { hostname, port } = this.#target;
    const pair: Pair = { client, server: undefined, early: [] };
    client.data = pair;
    this.#pairs.add(pair);
    if (this.#cutting) return client.terminate();
    if (this.#stalled) return;
    pair.server = await Bun.connect<undefined>({
      hostname,
      port: Number(port),
      data: undefined,
      socket: {
        data: (_, bytes) => {
          if (!this.#stalled) client.write(bytes);
        },
        close: () => void client.end(),
      },
    });
    for (const bytes of pair.early.splice(0)) pair.server.write(bytes);
  }

  #forward(pair: Pair, bytes: Buffer): void {
    if (this.#stalled) return;
    if (pair.server === undefined) pair.early.push(Buffer.from(bytes));
    else pair.server.write(bytes);
  }
}
