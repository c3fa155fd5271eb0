/**
 * A TCP proxy on 127.0.0.1 that parses the traffic and, on demand, holds back requests or replies.
 * With it between program and server, the program can be stopped at an exact moment without hooks
 * of its own: all steps before have certainly happened, and none after.
 */
import net from "node:net";
import { eventually } from "../../support/eventually.ts";

/**
 * How to find the messages in the streams of one connection. Replies come in the order of their
 * requests. One per connection: it may remember earlier messages.
 */
export interface Wire<Request> {
  /** The length of the first request in `bytes`; undefined: it is not complete yet. */
  requestLength(bytes: Buffer): number | undefined;
  replyLength(bytes: Buffer): number | undefined;
  readRequest(bytes: Buffer): Request;
}

/** The complete messages at the beginning of `bytes`, and the rest. */
export function cut(
  bytes: Buffer,
  length: (bytes: Buffer) => number | undefined,
): { readonly messages: readonly Buffer[]; readonly rest: Buffer } {
  const messages: Buffer[] = [];
  let rest = bytes;
  for (let next = length(rest); next !== undefined; next = length(rest)) {
    messages.push(rest.subarray(0, next));
    rest = rest.subarray(next);
  }
  return { messages, rest };
}

export interface HoldRule<Request> {
  /**
   * "request": a match does not reach the server. "reply": it does, and the reply does not come
   * back. Either way all that follows on the connection in that direction queues behind it.
   */
  readonly at: "request" | "reply";
  readonly matches: (request: Request) => boolean;
}

/**
 * A place where the proxy holds traffic.
 *
 * Catching: each match is counted and blocks its connection. Shut: what is held stays held, nothing
 * more is caught. Released: what was held goes on, late. Dropped: it never arrives, and its
 * connections are closed.
 */
class Hold<Request> {
  readonly rule: HoldRule<Request>;
  readonly #end: (hold: Hold<Request>, how: "release" | "drop") => void;
  #caught = 0;
  #isShut = false;

  constructor(
    rule: HoldRule<Request>,
    end: (hold: Hold<Request>, how: "release" | "drop") => void,
  ) {
    this.rule = rule;
    this.#end = end;
  }

  get caught(): number {
    return this.#caught;
  }

  catches(request: Request): boolean {
    if (this.#isShut || !this.rule.matches(request)) return false;
    this.#caught += 1;
    return true;
  }

  /** Waits for the first catch, then up to `graceMs` for `count` of them. */
  async untilCaught(count: number, graceMs: number): Promise<void> {
    await eventually("something is held", () => this.#caught > 0, 30_000);
    const endsAt = Date.now() + graceMs;
    while (this.#caught < count && Date.now() < endsAt) await Bun.sleep(5);
  }

  shut(): void {
    this.#isShut = true;
  }

  release(): void {
    this.shut();
    this.#end(this, "release");
  }

  drop(): void {
    this.shut();
    this.#end(this, "drop");
  }
}

interface HoldProxyOptions<Request> {
  readonly target: { readonly host: string; readonly port: number };
  /** 0, the default: any free one. */
  readonly port?: number;
  readonly openWire: () => Wire<Request>;
}

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

interface HeldConnectionOptions<Request> extends Pick<HoldProxyOptions<Request>, "target"> {
  readonly client: net.Socket;
  readonly wire: Wire<Request>;
  readonly findHold: (request: Request) => Hold<Request> | undefined;
}

interface Held<Request> {
  readonly by: Hold<Request>;
  readonly messages: Buffer[];
}

/**
 * One client's connection through the proxy. Open: messages pass in both directions, each up to the
 * first one that a hold caught. Closed: either side has closed, or its hold was dropped; what
 * passed before still arrives.
 */
class HeldConnection<Request> {
  readonly #options: HeldConnectionOptions<Request>;
  readonly #server: net.Socket;
  #requests: Buffer = Buffer.alloc(0);
  #replies: Buffer = Buffer.alloc(0);
  #heldRequests: Held<Request> | undefined;
  #heldReplies: Held<Request> | undefined;
  /** For each request without a reply yet: the hold that will catch the reply. */
  readonly #due: (Hold<Request> | undefined)[] = [];

  constructor(options: HeldConnectionOptions<Request>) {
    this.#options = options;
    const { client, target } = options;
    this.#server = net.connect(target);
    client.setNoDelay(true);
    this.#server.setNoDelay(true);
    client.on("error", () => {}); // "close" follows
    this.#server.on("error", () => {});
    client.on("data", (bytes: Buffer) => this.#fromClient(bytes));
    this.#server.on("data", (bytes: Buffer) => this.#fromServer(bytes));
    client.once("close", () => this.#server.end());
    this.#server.once("close", () => client.destroy());
  }

  /** Sends on what `hold` holds here, or forgets it and closes. */
  end(hold: Hold<Request>, how: "release" | "drop"): void {
    const [requests, replies] = [this.#heldRequests, this.#heldReplies];
    const holdsRequests = requests?.by === hold;
    const holdsReplies = replies?.by === hold || this.#due.includes(hold);
    if (how === "drop") {
      if (holdsRequests || holdsReplies) this.#options.client.destroy();
      return;
    }
    if (holdsRequests) {
      this.#heldRequests = undefined;
      for (const message of requests.messages) this.#server.write(message);
    }
    if (replies?.by === hold) {
      this.#heldReplies = undefined;
      for (const message of replies.messages) this.#options.client.write(message);
    }
    for (const [index, due] of this.#due.entries()) if (due === hold) this.#due[index] = undefined;
  }

  close(): void {
    this.#options.client.destroy();
    this.#server.destroy();
  }

  #fromClient(bytes: Buffer): void {
    const { wire, findHold } = this.#options;
    const { messages, rest } = cut(Buffer.concat([this.#requests, bytes]), wire.requestLength);
    this.#requests = rest;
    for (const message of messages) {
      const hold = findHold(wire.readRequest(message));
      this.#due.push(hold?.rule.at === "reply" ? hold : undefined);
      if (hold?.rule.at === "request") this.#heldRequests ??= { by: hold, messages: [] };
      if (this.#heldRequests === undefined) this.#server.write(message);
      else this.#heldRequests.messages.push(message);
    }
  }

  #fromServer(bytes: Buffer): void {
    const { wire, client } = this.#options;
    const { messages, rest } = cut(Buffer.concat([this.#replies, bytes]), wire.replyLength);
    this.#replies = rest;
    for (const message of messages) {
      const hold = this.#due.shift();
      if (hold !== undefined) this.#heldReplies ??= { by: hold, messages: [] };
      if (this.#heldReplies === undefined) client.write(message);
      else this.#heldReplies.messages.push(message);
    }
  }
}
