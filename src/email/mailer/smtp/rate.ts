// How fast mails go out to one SMTP server.
import type { Clock } from "../../../core/time.ts";
import type { SendOutcome } from "../mailer.ts";
import { serverDown } from "./classify.ts";
import type { SmtpOptions, SmtpRateChange } from "./config.ts";

/**
 * At most `perSecond` turns a second, evenly spaced, so there are no bursts: a pause saves up no
 * turns, but callers that wait lose none when they ask late. The rate may change at any time
 * (`undefined`: no limit), also for waiting callers.
 */
export class Pace {
  readonly #clock: Clock;
  #nextAt = 0;
  #isWaitedFor = false;
  perSecond: number | undefined;

  constructor(perSecond: number | undefined, clock: Clock) {
    this.#clock = clock;
    this.perSecond = perSecond;
  }

  /** 0: the caller has its turn. Else it asks again after so many ms. */
  take(): number {
    if (this.perSecond === undefined) return 0;
    const now = this.#clock.now();
    if (!this.#isWaitedFor) this.#nextAt = Math.max(this.#nextAt, now);
    if (this.#nextAt > now) {
      this.#isWaitedFor = true;
      return this.#nextAt - now;
    }
    this.#nextAt += 1000 / this.perSecond;
    return 0;
  }

  /** Nobody waits for a turn. */
  rest(): void {
    this.#isWaitedFor = false;
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

  /** See `Pace`. */
  take(): number {
    this.#freeWhenCalm();
    return this.#pace.take();
  }

  rest(): void {
    this.#pace.rest();
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
