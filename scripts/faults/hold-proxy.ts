import net from "node:net";
import { HeldConnection } from "./held-connection.ts";
import type { HoldRule } from "./hold.ts";
import { Hold } from "./hold.ts";
import type { Wire } from "./wire.ts";

export interface HoldProxyOptions<Request> {
  readonly target: { readonly host: string; readonly port: number };
  /** 0, the default: any free one. */
  readonly port?: number;
  readonly openWire: () => Wire<Request>;
}

/**
 * A TCP proxy on 127.0.0.1 that reads along and, where it is told to, holds requests or replies. It
 * stands between the program and a server, so that the program needs no hooks to be stopped at an
 * exact moment: it has then certainly done all before, and certainly nothing after.
 */
export class HoldProxy<Request> implements AsyncDisposable {
  readonly #server: net.Server;
  readonly #connections = new Set<HeldConnection<Request>>();
  readonly #holds = new Set<Hold<Request>>();

  private constructor({ target, openWire }: HoldProxyOptions<Request>) {
    this.#server = net.createServer((client) => {
      const connection = new HeldConnection({
        client,
        target,
        wire: openWire(),
        findHold: (request) => [...this.#holds].find((hold) => hold.catches(request)),
      });
      this.#connections.add(connection);
      client.once("close", () => this.#connections.delete(connection));
    });
  }

  static async open<Request>(options: HoldProxyOptions<Request>): Promise<HoldProxy<Request>> {
    const proxy = new HoldProxy(options);
    await new Promise<void>((resolve, reject) => {
      proxy.#server.once("error", reject);
      proxy.#server.listen({ host: "127.0.0.1", port: options.port ?? 0 }, resolve);
    });
    return proxy;
  }

  get port(): number {
    const address = this.#server.address();
    return typeof address === "object" && address !== null ? address.port : 0;
  }

  hold(rule: HoldRule<Request>): Hold<Request> {
    const hold = new Hold(rule, (ended, how) => {
      this.#holds.delete(ended);
      for (const connection of this.#connections) connection.end(ended, how);
    });
    this.#holds.add(hold);
    return hold;
  }

  async [Symbol.asyncDispose](): Promise<void> {
    const closed = new Promise((resolve) => this.#server.close(resolve));
    for (const connection of this.#connections) connection.close();
    await closed;
  }
}
