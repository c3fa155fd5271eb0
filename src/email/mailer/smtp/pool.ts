import type { SendOutcome } from "../mailer.ts";
import type { SmtpOptions } from "./config.ts";
import type { CarriedMail, ConnectionOwner } from "./connection.ts";
import { SmtpConnection } from "./connection.ts";
import type { SendRate } from "./rate.ts";

/** What waits for a connection. */
export interface Waiting {
  readonly signal: AbortSignal | undefined;
  /** It must be the first on its connection. */
  readonly needsFresh: boolean;
  /** Its turn in the rate. */
  hasTurn: boolean;
  /** Undefined: a probe. */
  readonly mail: CarriedMail | undefined;
  /** Whether its envelope may be written behind the dot of another mail. */
  readonly mayFollow: boolean;
  /** It has a connection, opened for it (`isFresh`) or idle. */
  start(connection: SmtpConnection, isFresh: boolean): void;
  /** `repeats`: the attempt does not count. */
  ended(outcome: SendOutcome, repeats: boolean): void;
}

interface PoolOptions extends SmtpOptions {
  readonly idleMsMax: number;
  readonly onOpened: (connection: SmtpConnection) => void;
}

/** A connection that is being opened for one of those that wait. */
interface Opening {
  readonly waiting: Waiting;
  readonly abort: AbortController;
}

/** The caller has waited for messages on the wire by now. */
const closeGraceMs = 2_000;

/**
 * At most `connections` connections, and the queue for them: first come, first served, as the rate
 * allows. The callers bound how many wait. A mail gets the idle connection that was used last, else
 * a fresh one if there may be one more, else the next that is free, or that sends a final dot and may
 * have the next mail behind it. One that cannot be opened is the outcome of the mail for which it was.
 *
 * Open: idle connections are ended after `idleMsMax`. Closing: what is under way has 2 s at most:
 * then connections are cut, and a mail whose reply is pending is ambiguous; one that waits is
 * withheld. Closed: every other connection was ended with QUIT.
 *
 * One timer for all: `wakeBy` keeps the earliest deadline, at which each connection's is compared.
 */
export class ConnectionPool implements ConnectionOwner {
  readonly #options: PoolOptions;
  readonly #rate: SendRate;
  #queue: Waiting[] = [];
  /** All that are open, and those of them that carry nothing, the one used last at the end. */
  readonly #connections = new Set<SmtpConnection>();
  #idle: SmtpConnection[] = [];
  readonly #openings = new Set<Opening>();
  /** How many of those under way have this signal: one listener serves them all. */
  readonly #signals = new Map<AbortSignal, number>();
  #underWay = 0;
  #isScheduled = false;
  #wakeAt = Number.POSITIVE_INFINITY;
  #turnAt = Number.POSITIVE_INFINITY;
  #timer: ReturnType<typeof setTimeout> | undefined;
  #follows = true;
  #isCut = false;
  #closing: Promise<void> | undefined;
  #onDone: (() => void) | undefined;

  constructor(options: PoolOptions, rate: SendRate) {
    this.#options = options;
    this.#rate = rate;
  }

  /** Calls it back later, never from within. Throws once the pool is closing. */
  add(waiting: Waiting): void {
    if (this.#closing !== undefined) throw new Error("the SMTP client was closed");
    this.#underWay += 1;
    this.#watch(waiting.signal);
    if (waiting.signal?.aborted === true) {
      queueMicrotask(() => waiting.ended({ kind: "withheld" }, false));
      return;
    }
    this.#queue.push(waiting);
    this.#schedule();
  }

  /** It is settled. */
  done({ signal }: Waiting): void {
    this.#underWay -= 1;
    this.#unwatch(signal);
    if (this.#underWay === 0) this.#onDone?.();
  }

  /** False: too late, the pool cuts its connections. */
  repeat(waiting: Waiting): boolean {
    if (this.#isCut) return false;
    this.#queue.unshift(waiting);
    this.#schedule();
    return true;
  }

  takeNext(connection: SmtpConnection): CarriedMail | undefined {
    const next = this.#follows ? this.#queue[0] : undefined;
    const mail = next?.mail;
    if (next === undefined || mail === undefined || !next.mayFollow) return undefined;
    if (this.#idle.length > 0 || !connection.limits.takes(mail.to)) return undefined;
    if (!mail.isAscii && !connection.limits.offersUtf8) return undefined;
    if (!this.#hasTurn(next)) return undefined;
    this.#queue.shift();
    return mail;
  }

  stopFollowing(): void {
    this.#follows = false;
  }

  freed(connection: SmtpConnection): void {
    const isLast = this.#closing !== undefined && this.#queue.length === 0;
    if (connection.limits.isExhausted || isLast) connection.quit();
    else {
      this.#idle.push(connection);
      connection.rest(this.#options.idleMsMax);
    }
    this.#schedule();
  }

  ended(connection: SmtpConnection): void {
    this.#connections.delete(connection);
    this.#dropIdle(connection);
    this.#schedule();
    if (this.#connections.size === 0 && this.#underWay === 0) this.#onDone?.();
  }

  wakeBy(at: number): void {
    if (at >= this.#wakeAt) return;
    clearTimeout(this.#timer);
    this.#wakeAt = at;
    this.#timer = setTimeout(this.#wake, Math.max(1, at - performance.now()));
  }

  /** Waits for all that is under way, then ends all connections. Idempotent. */
  close(): Promise<void> {
    this.#closing ??= this.#drain();
    return this.#closing;
  }

  async #drain(): Promise<void> {
    const cutting = setTimeout(() => this.#cut(), closeGraceMs);
    await this.#until(() => this.#underWay === 0);
    clearTimeout(cutting);
    for (const connection of this.#idle.splice(0)) connection.quit();
    await this.#until(() => this.#connections.size === 0);
    clearTimeout(this.#timer);
  }

  async #until(isDone: () => boolean): Promise<void> {
    while (!isDone()) await new Promise<void>((resolve) => (this.#onDone = resolve));
  }

  #cut(): void {
    this.#isCut = true;
    for (const waiting of this.#queue.splice(0)) waiting.ended({ kind: "withheld" }, false);
    for (const { abort } of this.#openings) abort.abort();
    for (const connection of [...this.#connections]) connection.cut();
  }

  #schedule(): void {
    if (this.#isScheduled || this.#queue.length === 0) return;
    this.#isScheduled = true;
    queueMicrotask(this.#dispatch);
  }

  readonly #dispatch = (): void => {
    this.#isScheduled = false;
    for (let next = this.#queue[0]; next !== undefined; next = this.#queue[0]) {
      const idle = next.needsFresh ? undefined : this.#findIdle(next);
      if (idle === undefined && !this.#mayOpen()) break;
      if (!this.#hasTurn(next)) return;
      this.#queue.shift();
      if (idle === undefined) void this.#open(next);
      else {
        this.#dropIdle(idle);
        next.start(idle, false);
      }
    }
    this.#rate.rest();
  };

  #findIdle(next: Waiting): SmtpConnection | undefined {
    const { mail } = next;
    return this.#idle.findLast(({ limits }) => mail === undefined || limits.takes(mail.to));
  }

  /** Ends an idle connection where that is necessary, and possible. */
  #mayOpen(): boolean {
    if (this.#connections.size + this.#openings.size < this.#options.connections) return true;
    const isEnding = [...this.#connections].some(({ isQuitting }) => isQuitting);
    if (!isEnding) this.#idle.shift()?.quit();
    return false;
  }

  #hasTurn(next: Waiting): boolean {
    if (next.hasTurn) return true;
    const waitMs = this.#rate.take();
    if (waitMs === 0) {
      next.hasTurn = true;
      return true;
    }
    this.#turnAt = performance.now() + waitMs;
    this.wakeBy(this.#turnAt);
    return false;
  }

  async #open(waiting: Waiting): Promise<void> {
    const opening: Opening = { waiting, abort: new AbortController() };
    this.#openings.add(opening);
    const opened = await SmtpConnection.open(this.#options, this, opening.abort.signal);
    this.#openings.delete(opening);
    if (opened instanceof SmtpConnection) {
      if (!opened.isClosed) this.#connections.add(opened);
      this.#options.onOpened(opened);
      waiting.start(opened, true);
    } else waiting.ended(opened, false);
    this.#schedule();
  }

  readonly #wake = (): void => {
    this.#wakeAt = Number.POSITIVE_INFINITY;
    const now = performance.now() + 1; // timers count whole ms
    if (this.#turnAt <= now) {
      this.#turnAt = Number.POSITIVE_INFINITY;
      this.#schedule();
    }
    let next = this.#turnAt;
    for (const connection of [...this.#connections]) {
      if (connection.deadlineAt <= now) connection.expire(now);
      next = Math.min(next, connection.deadlineAt);
    }
    if (next < Number.POSITIVE_INFINITY) this.wakeBy(next);
  };

  #dropIdle(connection: SmtpConnection): void {
    const at = this.#idle.lastIndexOf(connection);
    if (at >= 0) this.#idle.splice(at, 1);
  }

  #watch(signal: AbortSignal | undefined): void {
    if (signal === undefined) return;
    const mails = this.#signals.get(signal) ?? 0;
    if (mails === 0) signal.addEventListener("abort", this.#onAbort);
    this.#signals.set(signal, mails + 1);
  }

  #unwatch(signal: AbortSignal | undefined): void {
    if (signal === undefined) return;
    const mails = (this.#signals.get(signal) ?? 1) - 1;
    if (mails > 0) this.#signals.set(signal, mails);
    else {
      this.#signals.delete(signal);
      signal.removeEventListener("abort", this.#onAbort);
    }
  }

  readonly #onAbort = (): void => {
    const isAborted = ({ signal }: Waiting) => signal?.aborted === true;
    const aborted = this.#queue.filter(isAborted);
    this.#queue = this.#queue.filter((waiting) => !isAborted(waiting));
    for (const waiting of aborted) waiting.ended({ kind: "withheld" }, false);
    for (const { waiting, abort } of this.#openings) if (isAborted(waiting)) abort.abort();
    for (const connection of [...this.#connections]) connection.dropAborted();
  };
}
