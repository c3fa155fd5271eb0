import { domainOf } from "../../core/email-address.ts";
import type { Clock } from "../../core/time.ts";

/** The verdict on a refusal. */
export type RefusalVerdict = "refused" | "server_at_fault";

interface ServerStreakOptions {
  readonly clock: Clock;
  /**
   * This many different recipients refused in a row are the server's fault; 0: each refusal is
   * definite at once.
   */
  readonly refusalsMax: number;
}

/** This many mails deferred in a row, to at least two recipients. */
const deferralsMax = 10;
/** A refusal is definite if no other one follows for this long. */
export const quietMs = 5_000;

interface WaitingRefusal {
  readonly at: number;
  readonly settle: (verdict: RefusalVerdict) => void;
}

/**
 * Detects by consecutive answers whether a server refuses all recipients or only some; each server
 * has its own streak.
 *
 * Calm: nothing was deferred or refused since the last acceptance. Streak: something was. A
 * deferred mail is only counted, as it is retried anyway. A refused mail waits for a verdict,
 * because a definite refusal cannot be undone. A streak ends when
 * - a mail whose sending began after a refusal is accepted: that refusal was about its recipient
 *   (`refused`). An acceptance of an earlier sending only ends the count, as the server may have
 *   changed its mind in between;
 * - nothing more is refused for 5 s: all waiting refusals are definite, because a single bad
 *   address on a quiet system must not wait long. So a server that refuses everybody costs at most
 *   `refusalsMax - 1` mails if they are further apart than that, and none if they come faster;
 * - ten mails to at least two recipients were deferred, or `refusalsMax` different recipients
 *   refused: the server is at fault. All waiting refusals resolve with `server_at_fault`, their
 *   attempts do not count, and the next answer begins a new streak. Deferrals at one domain may be
 *   caused by that domain, which greylists or is down while others get their mails: one domain
 *   makes such a streak once, and none at all after a mail to another domain was the last one
 *   accepted; a mail that it accepts resets that.
 *
 * At most one entry per mail in flight; the caller bounds those.
 */
export class ServerStreak {
  readonly #options: ServerStreakOptions;
  readonly #deferred = new Run();
  readonly #refused = new Run();
  readonly #waiting = new Set<WaitingRefusal>();
  #domains = new Set<string>();
  /** The one domain of a streak of deferrals, and the domain of the mail accepted last. */
  #blamedDomain: string | undefined;
  #acceptedDomain: string | undefined;
  #sequence = 0;
  #timer: AbortController | undefined;

  constructor(options: ServerStreakOptions) {
    this.#options = options;
  }

  /** Called before a mail is handed over, for `accepted`. */
  begin(): number {
    this.#sequence += 1;
    return this.#sequence;
  }

  accepted(begunAt: number, recipient: string): void {
    this.#acceptedDomain = domainOf(recipient);
    if (this.#acceptedDomain === this.#blamedDomain) this.#blamedDomain = undefined;
    this.#endCount();
    for (const refusal of this.#waiting) {
      if (refusal.at < begunAt) this.#settle(refusal, "refused");
    }
  }

  /** True: the server is at fault. */
  deferred(recipient: string): boolean {
    this.#deferred.observe(recipient);
    const { count, recipients } = this.#deferred;
    if (count < deferralsMax || recipients.size < 2) return false;
    const domains = new Set([...recipients].map(domainOf));
    const isServer = domains.size > 1 || this.#maySpeakForServer(domainOf(recipient));
    if (domains.size === 1) this.#blamedDomain = domainOf(recipient);
    if (isServer) this.serverAtFault();
    else this.#deferred.end();
    return isServer;
  }

  /** The verdict on the refusal, later; undefined: the server is already at fault. */
  refused(recipient: string): Promise<RefusalVerdict> | undefined {
    const { refusalsMax } = this.#options;
    this.#refused.observe(recipient);
    this.#domains.add(domainOf(recipient));
    if (this.#refused.recipients.size >= refusalsMax) {
      this.serverAtFault();
      return undefined;
    }
    const { promise, resolve } = Promise.withResolvers<RefusalVerdict>();
    this.#waiting.add({ at: this.begin(), settle: resolve });
    void this.#believeWhenQuiet();
    return promise;
  }

  /** The server is known to be at fault, and refused this recipient's mail for it. */
  blamed(recipient: string): void {
    this.#domains.add(domainOf(recipient));
    this.serverAtFault();
  }

  /** The domains whose refusals put the server at fault; a single one may refuse us on its own. */
  get refusedDomains(): ReadonlySet<string> {
    return this.#domains;
  }

  /**
   * Also called when another check finds the server at fault: attempts that wait for a verdict do
   * not count.
   */
  serverAtFault(): void {
    const domains = this.#domains;
    this.#endCount();
    this.#domains = domains;
    for (const refusal of this.#waiting) this.#settle(refusal, "server_at_fault");
  }

  #maySpeakForServer(domain: string): boolean {
    if (domain === this.#blamedDomain) return false;
    return this.#acceptedDomain === undefined || this.#acceptedDomain === domain;
  }

  #endCount(): void {
    this.#deferred.end();
    this.#refused.end();
    this.#domains = new Set();
  }

  #settle(refusal: WaitingRefusal, verdict: RefusalVerdict): void {
    this.#waiting.delete(refusal);
    refusal.settle(verdict);
    if (this.#waiting.size === 0) this.#timer?.abort();
  }

  async #believeWhenQuiet(): Promise<void> {
    this.#timer?.abort();
    const timer = new AbortController();
    this.#timer = timer;
    await this.#options.clock.sleep(quietMs, timer.signal);
    if (timer.signal.aborted) return;
    for (const refusal of this.#waiting) this.#settle(refusal, "refused");
  }
}

/**
 * Answers of one kind in a row. Its set is bounded by the limits above, at which the streak ends.
 */
class Run {
  count = 0;
  readonly recipients = new Set<string>();

  observe(recipient: string): void {
    this.count += 1;
    this.recipients.add(recipient);
  }

  end(): void {
    this.count = 0;
    this.recipients.clear();
  }
}
