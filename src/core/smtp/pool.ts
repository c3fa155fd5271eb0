import type { SmtpConnection } from "./connection.ts";

export interface PoolOptions {
  readonly connections: number;
  readonly idleMsMax: number;
}

/**
 * At most `connections` connections: those in a slot, where a message is on its way, and idle ones
 * that wait for the next. Who wants to send waits for a slot, first come first served; how many wait
 * is bounded by the callers.
 *
 * Open: slots are given out, idle connections are ended after `idleMsMax`. Closing: no slot is given
 * out any more, those in use are waited for. Closed: every connection said QUIT.
 */
export class ConnectionPool {
  readonly #options: PoolOptions;
  readonly #waiting = new Set<(granted: boolean) => void>();
  #idle: SmtpConnection[] = [];
  #slotsInUse = 0;
  #sweep: ReturnType<typeof setTimeout> | undefined;
  readonly #ending = new Set<Promise<void>>();
  #closing: Promise<void> | undefined;
  #onDrained: (() => void) | undefined;

  constructor(options: PoolOptions) {
    this.#options = options;
  }

  /** False: the signal was aborted before a slot was free. Throws once the pool is closing. */
  async takeSlot(signal: AbortSignal | undefined): Promise<boolean> {
    if (this.#closing !== undefined) throw new Error("the SMTP client was closed");
    if (signal?.aborted === true) return false;
    if (this.#slotsInUse < this.#options.connections) {
      this.#slotsInUse += 1;
      return true;
    }
    return new Promise<boolean>((resolve) => {
      const settle = (granted: boolean) => {
        this.#waiting.delete(settle);
        signal?.removeEventListener("abort", onAbort);
        resolve(granted);
      };
      const onAbort = () => settle(false);
      this.#waiting.add(settle);
      signal?.addEventListener("abort", onAbort, { once: true });
    });
  }

  /** Ends the use of a slot; a connection that is still good is kept for the next message. */
  giveBack(connection: SmtpConnection | undefined): void {
    const usable = connection !== undefined && !connection.ended;
    if (usable && (connection.spent || this.#closing !== undefined)) {
      void this.#end(connection).finally(() => this.#passOn()); // only then may another one open
      return;
    }
    if (usable) this.#keep(connection);
    this.#passOn();
  }

  #passOn(): void {
    const [next] = this.#waiting;
    if (next !== undefined) next(true);
    else this.#slotsInUse -= 1;
    if (this.#slotsInUse === 0) this.#onDrained?.();
  }

  /** The connection that was used last, for whoever holds a slot. */
  takeIdle(): SmtpConnection | undefined {
    for (let kept = this.#idle.pop(); kept !== undefined; kept = this.#idle.pop()) {
      if (!kept.ended) return kept;
    }
    return undefined;
  }

  /** Lets whoever holds a slot open a fresh connection without exceeding the limit. */
  async makeRoom(): Promise<void> {
    if (this.#idle.length + this.#slotsInUse <= this.#options.connections) return;
    const oldest = this.#idle.shift();
    if (oldest !== undefined) await this.#end(oldest);
  }

  /** Waits for the slots in use (those who wait for one included), then ends all. Idempotent. */
  close(): Promise<void> {
    this.#closing ??= this.#drain();
    return this.#closing;
  }

  async #drain(): Promise<void> {
    if (this.#slotsInUse > 0) {
      await new Promise<void>((resolve) => {
        this.#onDrained = resolve;
      });
    }
    clearTimeout(this.#sweep);
    for (const connection of this.#idle.splice(0)) void this.#end(connection);
    await Promise.all(this.#ending);
  }

  #keep(connection: SmtpConnection): void {
    connection.idleSince = Date.now();
    this.#idle.push(connection);
    this.#sweep ??= setTimeout(() => this.#endOldIdle(), this.#options.idleMsMax).unref();
  }

  #endOldIdle(): void {
    this.#sweep = undefined;
    const usedSince = Date.now() - this.#options.idleMsMax;
    for (const connection of this.#idle) {
      if (connection.idleSince <= usedSince) void this.#end(connection);
    }
    this.#idle = this.#idle.filter((connection) => !connection.ended);
    const [oldest] = this.#idle;
    if (oldest === undefined) return;
    const waitMs = Math.max(1, oldest.idleSince - usedSince);
    this.#sweep = setTimeout(() => this.#endOldIdle(), waitMs).unref();
  }

  #end(connection: SmtpConnection): Promise<void> {
    const ending = connection.quit().finally(() => this.#ending.delete(ending));
    this.#ending.add(ending);
    return ending;
  }
}
