import type { Clock } from "../core/time.ts";

const windowMs = 15 * 60_000;
const attemptsPerClientMax = 10;
const attemptsGlobalMax = 100;
const clientsMax = 10_000;

/**
 * Counts wrong tokens and passwords in windows of 15 min, in memory: 10 per client. After 100 in total
 * a client that has failed once is refused until the window ends, and no other: strangers cannot lock
 * the operator out. A restart resets the counts: a token has at least 16 characters, so the limit only
 * has to make guessing slow and visible. Not the `Limits` of sign-in: those are in Redis, and an
 * operator must get in while Redis is down.
 */
export class LoginAttempts {
  readonly #clock: Pick<Clock, "now">;
  #endsAt = 0;
  #all = 0;
  readonly #clients = new Map<string, number>();

  constructor(clock: Pick<Clock, "now">) {
    this.#clock = clock;
  }

  /** Seconds until this client may try again; undefined: now. */
  lockedSeconds(client: string): number | undefined {
    this.#turn();
    const failed = this.#clients.get(client) ?? 0;
    const exhausted = failed >= (this.#all >= attemptsGlobalMax ? 1 : attemptsPerClientMax);
    return exhausted ? Math.ceil((this.#endsAt - this.#clock.now()) / 1000) : undefined;
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
