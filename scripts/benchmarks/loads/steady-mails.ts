import type { Backlog } from "../backlog.ts";

const everyMs = 100;

/** Publishes `perSecond` mails, in small batches, until the scope ends. */
export class SteadyMails implements AsyncDisposable {
  readonly #backlog: Backlog;
  readonly #perSecond: number;
  readonly #running: Promise<void>;
  #isStopped = false;

  constructor(backlog: Backlog, perSecond: number) {
    this.#backlog = backlog;
    this.#perSecond = perSecond;
    this.#running = this.#run();
    this.#running.catch(() => {}); // told when the scope ends
  }

  async [Symbol.asyncDispose](): Promise<void> {
    this.#isStopped = true;
    await this.#running;
  }

  async #run(): Promise<void> {
    const startedAt = performance.now();
    let sent = 0;
    while (!this.#isStopped) {
      const due = Math.floor(((performance.now() - startedAt) / 1000) * this.#perSecond) - sent;
      await this.#backlog.add(due);
      sent += due;
      await Bun.sleep(everyMs);
    }
  }
}
