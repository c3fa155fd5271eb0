// The connections to one SMTP server.
import type { SmtpConnection } from "./connection.ts";

interface PoolOptions {
  readonly connections: number;
  readonly idleMsMax: number;
}

/** The caller has waited for messages on the wire by now. */
const closeGraceMs = 2_000;

/**
 * At most `connections` connections: busy ones, each in a slot with a message in flight, and idle
 * ones. Senders wait for a slot, first come, first served; the callers bound how many wait.
 *
 * Open: slots are granted, idle connections are ended after `idleMsMax`. Closing: no more slots are
 * granted, those in use have 2 s at most: then their connections are cut, and a mail whose reply is
 * pending is ambiguous. Closed: every other connection was ended with QUIT.
 */
export class ConnectionPool {
  readonly #options: PoolOptions;
  readonly #waiting = new Set<(granted: boolean) => void>();
  readonly #carrying = new Set<SmtpConnection>();
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
    if (connection !== undefined) this.#carrying.delete(connection);
    const usable = connection !== undefined && !connection.ended;
    if (usable && (connection.exhausted || this.#closing !== undefined)) {
      void this.#end(connection).finally(() => this.#passOn()); // only then may another one open
      return;
    }
    if (usable) this.#addIdle(connection);
    this.#passOn();
  }

  #passOn(): void {
    const [next] = this.#waiting;
    if (next !== undefined) next(true);
    else this.#slotsInUse -= 1;
    if (this.#slotsInUse === 0) this.#onDrained?.();
  }

  /**
   * The most recently used idle connection that may carry a mail to `to`. The caller has a slot.
   */
  takeIdle(to: string): SmtpConnection | undefined {
    this.#idle = this.#idle.filter((kept) => !kept.ended);
    const at = this.#idle.findLastIndex((kept) => kept.takes(to));
    return at === -1 ? undefined : this.#idle.splice(at, 1)[0];
  }

  /** Registers a busy connection until it is returned, so that closing can cut it. */
  carry(connection: SmtpConnection): void {
    this.#carrying.add(connection);
  }

  /** It has ended; its slot stays in use, for another connection. */
  drop(connection: SmtpConnection): void {
    this.#carrying.delete(connection);
  }

  /** Lets a caller that has a slot open a fresh connection without exceeding the limit. */
  async evictIdle(): Promise<void> {
    if (this.#idle.length + this.#slotsInUse <= this.#options.connections) return;
    const oldest = this.#idle.shift();
    if (oldest !== undefined) await this.#end(oldest);
  }

  /**
   * Waits for the slots in use and their waiting callers, then ends all connections. Idempotent.
   */
  close(): Promise<void> {
    this.#closing ??= this.#drain();
    return this.#closing;
  }

  async #drain(): Promise<void> {
    if (this.#slotsInUse > 0) {
      const drained = new Promise<void>((resolve) => {
        this.#onDrained = resolve;
      });
      const cutting = setTimeout(() => {
        for (const connection of this.#carrying) connection.cut();
      }, closeGraceMs);
      await drained;
      clearTimeout(cutting);
    }
    clearTimeout(this.#sweep);
    for (const connection of this.#idle.splice(0)) void this.#end(connection);
    await Promise.all(this.#ending);
  }

  #addIdle(connection: SmtpConnection): void {
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
