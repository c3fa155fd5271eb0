import type { Clock } from "../../core/clock.ts";

const windowMs = 15 * 60_000;
const triesPerClient = 10;
const triesOfAll = 100;
const clientsMax = 10_000;

/**
 * Counts wrong tokens in windows of 15 min, in memory: 10 for a client and 100 for all; then nobody
 * (or that client) is listened to until the window ends. A process that starts anew counts anew: a
 * token has at least 16 characters, so the limit only has to make guessing loud and slow.
 */
export class LoginTries {
  readonly #clock: Pick<Clock, "now">;
  #endsAt = 0;
  #all = 0;
  readonly #clients = new Map<string, number>();

  constructor(clock: Pick<Clock, "now">) {
    this.#clock = clock;
  }

  /** Seconds until this client is listened to again; undefined: it may try now. */
  lockedSeconds(client: string): number | undefined {
    this.#turn();
    const spent = this.#all >= triesOfAll || (this.#clients.get(client) ?? 0) >= triesPerClient;
    return spent ? Math.ceil((this.#endsAt - this.#clock.now()) / 1000) : undefined;
  }

  failed(client: string): void {
    this.#turn();
    this.#all += 1;
    const known = this.#clients.get(client);
    if (known === undefined && this.#clients.size >= clientsMax) return;
    this.#clients.set(client, (known ?? 0) + 1);
  }

  #turn(): void {
    const now = this.#clock.now();
    if (now < this.#endsAt) return;
    this.#endsAt = now + windowMs;
    this.#all = 0;
    this.#clients.clear();
  }
}
