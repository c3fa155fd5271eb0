import net from "node:net";
import type { Hold } from "./hold.ts";
import type { Wire } from "./wire.ts";
import { cut } from "./wire.ts";

export interface HeldConnectionOptions<Request> {
  readonly client: net.Socket;
  readonly target: { readonly host: string; readonly port: number };
  readonly wire: Wire<Request>;
  readonly findHold: (request: Request) => Hold<Request> | undefined;
}

interface Held<Request> {
  readonly by: Hold<Request>;
  readonly messages: Buffer[];
}

/**
 * One client's connection through a proxy. Open: messages go both ways, each direction up to the
 * first one that a hold has caught. Closed: either side went away, or what was held is dropped; what
 * was let through before still arrives.
 */
export class HeldConnection<Request> {
  readonly #options: HeldConnectionOptions<Request>;
  readonly #server: net.Socket;
  #requests: Buffer = Buffer.alloc(0);
  #replies: Buffer = Buffer.alloc(0);
  #heldRequests: Held<Request> | undefined;
  #heldReplies: Held<Request> | undefined;
  /** For each request whose reply is due: what holds the reply. */
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

  /** Lets go what `hold` holds here, or forgets it and closes. */
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
