import { domainOf } from "../../core/email-address.ts";
import type { Clock } from "../../core/time.ts";

/** What a refusal turned out to be, after it waited for a verdict. */
export type RefusalVerdict = "refused" | "server_at_fault";

interface ServerStreakOptions {
  readonly clock: Clock;
  /** So many different recipients refused in a row are the server's fault; 0: refusals are believed at once. */
  readonly refusalsMax: number;
}

/** So many mails deferred in a row, of at least two recipients. */
const deferralsMax = 10;
/** A refusal that no other one follows for so long is believed. */
export const quietMs = 5_000;

interface WaitingRefusal {
  readonly at: number;
  readonly settle: (verdict: RefusalVerdict) => void;
}

/**
 * Whether a server turns everybody away or only some, by its answers in a row; each server has its
 * own streak.
 *
 * Calm: nothing was deferred or refused since the last acceptance. Streak: something was. A
 * deferred mail is only counted, as it is retried anyway. A refused mail waits for a verdict, since
 * a refusal that is believed can't be taken back. A streak ends when
 * - a mail whose sending began after a refusal is accepted: that refusal was about its recipient
 *   (`refused`). An acceptance of an earlier sending only ends the count, as the server may have
 *   changed its mind in between;
 * - nothing more is refused for 5 s: all that wait are believed, as a single bad address on a quiet
 *   system must not wait long. So a server that denies everybody costs at most `refusalsMax - 1`
 *   mails where they come further apart than that, and none where they come faster;
 * - ten mails to at least two recipients were deferred, or `refusalsMax` different recipients
 *   refused: the server is at fault. All that wait resolve with `server_at_fault`, their attempts do
 *   not count, and the next answer begins a new streak. Deferrals at one domain may be that
 *   domain's, which greylists or is down while others get their mails: one domain makes such a
 *   streak once, and none at all after a mail to another domain was the last one accepted; a mail
 *   that it accepts resets that.
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

  /** Before a mail is handed over; for `accepted`. */
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

  /** What becomes of the refusal, known later; undefined: the server is at fault. */
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

  /** The domains whose refusals put the server at fault; a single one may deny us by itself. */
  get refusedDomains(): ReadonlySet<string> {
    return this.#domains;
  }

  /** Also called where something else says so: attempts that wait for a verdict do not count. */
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

/** Answers of one kind in a row. Its set is as large as the limits above, or it would have ended. */
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
