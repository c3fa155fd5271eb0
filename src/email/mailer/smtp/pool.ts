// The connections to one SMTP server, and how fast mails go out over them.
import type { Clock } from "../../../core/time.ts";
import type { SendOutcome } from "../mailer.ts";
import { serverDown } from "./classify.ts";
import type { SmtpOptions, SmtpRateChange } from "./config.ts";
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

/**
 * At most `perSecond` turns a second, evenly spaced and granted in the order of the requests, so
 * there are no bursts. The rate may change at any time (`undefined`: no limit), also for waiting
 * callers. A turn that was abandoned in the queue costs nothing.
 */
export class Pace {
  readonly #clock: Clock;
  #nextAt = 0;
  #waiting = 0;
  #tail: Promise<unknown> = Promise.resolve();
  perSecond: number | undefined;

  constructor(perSecond: number | undefined, clock: Clock) {
    this.#clock = clock;
    this.perSecond = perSecond;
  }

  /** Resolves when it is this caller's turn; false: the signal was aborted before. */
  async take(signal?: AbortSignal): Promise<boolean> {
    if (signal?.aborted === true) return false;
    if (this.#waiting === 0) {
      if (this.perSecond === undefined) return true;
      this.#nextAt = Math.max(this.#nextAt, this.#clock.now());
    }
    this.#waiting += 1;
    const turn = this.#tail.then(() => this.#turn(signal));
    this.#tail = turn.finally(() => {
      this.#waiting -= 1;
    });
    if (signal === undefined) return turn;
    const aborted = Promise.withResolvers<boolean>();
    const onAbort = () => aborted.resolve(false);
    signal.addEventListener("abort", onAbort, { once: true });
    try {
      return await Promise.race([turn, aborted.promise]);
    } finally {
      signal.removeEventListener("abort", onAbort);
    }
  }

  async #turn(signal?: AbortSignal): Promise<boolean> {
    const isAborted = () => signal?.aborted === true;
    if (isAborted()) return false;
    if (this.perSecond === undefined) return true;
    const now = this.#clock.now();
    if (this.#nextAt > now) await this.#clock.sleep(this.#nextAt - now, signal);
    if (isAborted()) return false;
    this.#nextAt += 1000 / (this.perSecond ?? Number.POSITIVE_INFINITY);
    return true;
  }
}

const decrease = 0.9;
const perSecondMin = 0.5;
const windowMs = 1_000;
const calmMs = 60_000;
const lastingMs = 10_000;
const lastingReplies = 10;

/**
 * The sending rate of one server: as fast as it accepts messages, up to `SMTP_RATE`. Additive
 * increase, multiplicative decrease.
 *
 * Free: at `SMTP_RATE`, or without a limit. Slowed: the server replied that we send too fast. At
 * such a reply, at most once a second, the rate is set to nine tenths of what the server accepted
 * in the last second (but at least 45 % of the rate before, and one mail in two seconds); each
 * accepted message adds to it, 1 mail/s in a second (1 % of the rate where that is more). After a
 * minute without such a reply it is free again. A server that gives ten such replies over at least
 * 10 s, and accepts nothing in between, counts as down: `server_down`.
 */
export class SendRate {
  readonly #options: SmtpOptions;
  readonly #clock: Clock;
  readonly #pace: Pace;
  readonly #perSecondMax: number | undefined;
  #slowed: { throttledAt: number; decreasedAt: number } | undefined;
  /** When the newest messages were accepted; at most two seconds of them matter. */
  #window = { since: 0, accepted: 0, before: 0 };
  #refused: { since: number; replies: number } | undefined;

  constructor(options: SmtpOptions, clock: Clock) {
    this.#options = options;
    this.#clock = clock;
    this.#perSecondMax = options.mailsPerSecondMax || undefined;
    this.#pace = new Pace(this.#perSecondMax, clock);
  }

  /** Mails a second that are allowed now; undefined: no limit. */
  get perSecond(): number | undefined {
    this.#freeWhenCalm();
    return this.#pace.perSecond;
  }

  take(signal?: AbortSignal): Promise<boolean> {
    this.#freeWhenCalm();
    return this.#pace.take(signal);
  }

  /** Updates the rate by an outcome, and returns the outcome, possibly changed. */
  observe(outcome: SendOutcome): SendOutcome {
    if (outcome.kind === "accepted") this.#accepted();
    if (outcome.kind !== "throttled") return outcome;
    this.#slowDown(outcome.reply);
    const now = this.#clock.now();
    this.#refused ??= { since: now, replies: 0 };
    this.#refused.replies += 1;
    const { since, replies } = this.#refused;
    const lasts = replies >= lastingReplies && now - since >= lastingMs;
    return lasts ? serverDown("throttled", this.#options, outcome.reply) : outcome;
  }

  #accepted(): void {
    this.#refused = undefined;
    this.#roll();
    this.#window.accepted += 1;
    const { perSecond } = this.#pace;
    if (this.#slowed === undefined || perSecond === undefined) return;
    const grown = perSecond + Math.max(1 / perSecond, 0.01);
    this.#pace.perSecond = Math.min(grown, this.#perSecondMax ?? grown);
  }

  #slowDown(reply: string): void {
    const now = this.#clock.now();
    this.#roll();
    const before = this.#slowed;
    if (before !== undefined) before.throttledAt = now;
    if (before !== undefined && now - before.decreasedAt < windowMs) return;
    this.#slowed = { throttledAt: now, decreasedAt: now };
    const taken = Math.max(this.#window.accepted, this.#window.before, 1);
    const current = this.#pace.perSecond ?? taken;
    const base = Math.min(current, Math.max(taken, current / 2));
    this.#pace.perSecond = Math.max(perSecondMin, base * decrease);
    if (before === undefined) this.#notify({ kind: "slowed", reply });
  }

  #freeWhenCalm(): void {
    if (this.#slowed === undefined) return;
    if (this.#clock.now() - this.#slowed.throttledAt < calmMs) return;
    this.#slowed = undefined;
    this.#pace.perSecond = this.#perSecondMax;
    this.#notify({ kind: "free" });
  }

  #notify(state: { readonly kind: "slowed"; readonly reply: string } | { readonly kind: "free" }) {
    const { host, onRateChange } = this.#options;
    const change: SmtpRateChange = { ...state, host, perSecond: this.#pace.perSecond };
    onRateChange?.(change);
  }

  #roll(): void {
    const now = this.#clock.now();
    const passed = now - this.#window.since;
    if (passed < windowMs) return;
    const before = passed < 2 * windowMs ? this.#window.accepted : 0;
    this.#window = { since: now, accepted: 0, before };
  }
}
