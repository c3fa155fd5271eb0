import type { Clock } from "../../core/time.ts";
import { Breaker } from "../delivery/breaker.ts";
import type {
  DeferredMail,
  Mailer,
  MailMessage,
  ProbeOutcome,
  RefusedMail,
  SendOptions,
  SendOutcome,
  ServerDown,
} from "./mailer.ts";
import { domainOf, ServerStreak } from "./server-streak.ts";

export interface MailServerDeps {
  readonly clock: Clock;
  readonly refusalsMax: number;
  /** False: one failure is no outage, only ten in a row are. */
  readonly pauses: boolean;
  /** There is no other server that a mail could go out by. */
  readonly alone: boolean;
  /** It went down for `reason`, or is back (undefined). */
  readonly onChange: (server: MailServer, reason: string | undefined) => void;
  /** Lets one of the waiting mails go; false when none waits. */
  readonly offerTrial: (refused: {
    readonly domains: ReadonlySet<string>;
    readonly recipient: string | undefined;
  }) => boolean;
}

/** RFC 6531: says what the server lacks for this one address, and nothing of its other mails. */
const utf8Missing = "5.6.7";

/** How long a trial is offered; who was woken asks the ledger first. */
const trialOfferMs = 2_000;

interface Trial {
  /** Undefined: the server took the mail; else why it is not taken for well. */
  readonly ended: PromiseWithResolvers<string | undefined>;
  readonly taken: PromiseWithResolvers<void>;
  isTaken: boolean;
}

/**
 * One SMTP server: whether it is well, by what it answers.
 *
 * Well: it is sent mails. Down: it could not be reached, closed on us, or deferred everybody; probes
 * (which send nothing) ask after 1, 2, 4, 5, 5 … s, and the first that succeeds makes it well.
 * Suspect: it refused everybody (`ServerStreak`), or blamed the account in its reply to one mail,
 * and is down too; but a probe can't tell: after each one that succeeds a single waiting mail is
 * sent as a trial, one of another domain than refused us first, then one to another recipient.
 * Accepted: well; and where only one domain had refused us, that domain, or where the mail went to
 * it, the recipient refused last is believed from then on. Anything else: down again, the mail was
 * not tried. When no mail wants to be the trial, the server is given out to all again, and the first
 * refusal makes it down.
 */
export class MailServer {
  readonly mailer: Mailer;
  readonly #deps: MailServerDeps;
  readonly #breaker: Breaker;
  readonly #streak: ServerStreak;
  #down: ServerDown | undefined;
  #suspect = false;
  #lossesInRow = 0;
  /** Refused us while the server took a mail to another domain: its refusals are its own. */
  #denyingDomain: string | undefined;
  /** The last recipient that was refused, and one that is believed to be the only one. */
  #refusedRecipient: string | undefined;
  #denyingRecipient: string | undefined;
  #trial: Trial | undefined;

  constructor(mailer: Mailer, deps: MailServerDeps) {
    const { clock, refusalsMax, onChange } = deps;
    this.mailer = mailer;
    this.#deps = deps;
    this.#streak = new ServerStreak({ clock, refusalsMax });
    this.#breaker = new Breaker({
      clock,
      probe: (signal) => this.#probeUntilWell(signal),
      probeDelayMsMin: 1000,
      probeDelayMsMax: 5000,
      onChange: (state) => onChange(this, state.kind === "open" ? state.reason : undefined),
    });
  }

  get down(): ServerDown | undefined {
    const { state } = this.#breaker;
    return state.kind === "open" && this.#down
      ? { ...this.#down, reason: state.reason }
      : undefined;
  }

  /** Whether one more mail may be sent now. */
  get isOpen(): boolean {
    return this.#breaker.state.kind === "closed" || this.#trial?.isTaken === false;
  }

  /** Down, because recipients of a single domain were refused. */
  get mayBeOneDomain(): boolean {
    const { down } = this;
    const isSuspected = down?.cause === "refusing" || down?.answer !== undefined;
    return isSuspected && this.#streak.refusedDomains.size === 1;
  }

  async send(message: MailMessage, options: SendOptions): Promise<SendOutcome> {
    const trial = this.#takeTrial();
    const begunAt = this.#streak.begin();
    try {
      const { mayBeOneDomain } = this;
      const [refusedDomain] = this.#streak.refusedDomains;
      const outcome = this.#judge(message.to, begunAt, await this.mailer.send(message, options));
      if (outcome.kind === "accepted" && trial !== undefined) {
        const isOther = mayBeOneDomain && refusedDomain !== domainOf(message.to);
        this.#denyingDomain = isOther ? refusedDomain : undefined;
        const wasRefused = this.#refusedRecipient !== message.to && !isOther && mayBeOneDomain;
        this.#denyingRecipient = wasRefused ? this.#refusedRecipient : undefined;
        trial.ended.resolve(undefined);
      }
      return outcome;
    } finally {
      trial?.ended.resolve(this.#down?.reason ?? "the trial was given up");
    }
  }

  async probe(signal?: AbortSignal): Promise<ProbeOutcome> {
    const probed = await this.mailer.probe(signal);
    const isDown = probed.kind === "server_down" && signal?.aborted !== true;
    if (isDown && this.#deps.pauses) this.#trip(probed);
    return probed;
  }

  stop(): void {
    this.#breaker.stop();
    this.#trial?.ended.resolve("stopped");
  }

  /** What an outcome says of the server; the caller hears of the server where it is at fault. */
  #judge(recipient: string, begunAt: number, outcome: SendOutcome): SendOutcome {
    switch (outcome.kind) {
      case "accepted":
        this.#lossesInRow = 0;
        if (domainOf(recipient) === this.#denyingDomain) this.#denyingDomain = undefined;
        if (recipient === this.#denyingRecipient) this.#denyingRecipient = undefined;
        this.#streak.accepted(begunAt, recipient);
        if (this.#breaker.state.kind === "closed") this.#suspect = false;
        return outcome;
      case "deferred":
        this.#deferred(recipient);
        return outcome;
      case "refused":
        if (this.#deps.refusalsMax === 0 || outcome.enhancedCode === utf8Missing) return outcome;
        return this.#refused(recipient, outcome);
      case "lost":
        return this.#deps.alone ? outcome : this.#lost(outcome);
      case "server_down":
        if (!this.#deps.pauses) this.#deferred(recipient);
        else if (outcome.answer === undefined) this.#trip(outcome);
        else return this.#blamed(recipient, outcome, outcome.answer);
        return outcome;
      default:
        return outcome; // of the mail, or of this connection
    }
  }

  #deferred(recipient: string): void {
    if (!this.#streak.deferred(recipient)) return;
    this.#trip(this.#fault("system", "defers every mail; what it said is in the log"));
  }

  /** A single connection may just have ended; a second in a row is reason enough to go elsewhere. */
  #lost(outcome: Extract<SendOutcome, { kind: "lost" }>): SendOutcome {
    this.#lossesInRow += 1;
    if (this.#lossesInRow < 2) return outcome;
    this.#lossesInRow = 0;
    const down = this.#fault(
      "closing",
      `ends its sessions before it has the mail (${outcome.reason})`,
    );
    this.#trip(down);
    return down;
  }

  #refused(recipient: string, outcome: Extract<SendOutcome, { kind: "refused" }>): SendOutcome {
    if (this.#isBelieved(recipient)) return outcome;
    this.#refusedRecipient = recipient;
    const confirmation = this.#streak.refused(recipient, this.#isKnown);
    if (confirmation !== undefined) return { ...outcome, confirmation };
    const down = this.#fault(
      "refusing",
      `refuses every mail, none was accepted between (the last: ${outcome.reply}): check the account and its limits there, SMTP_FROM, and that it relays for us; EMAIL_REFUSAL_GUARD=0 believes it`,
    );
    this.#suspect = true;
    this.#trip(down);
    return down;
  }

  /** A probe can't tell either whether it would say the same to the next mail: a trial does. */
  #blamed(
    recipient: string,
    down: ServerDown,
    answer: RefusedMail | DeferredMail,
  ): ServerDown | RefusedMail | DeferredMail {
    if (this.#isBelieved(recipient)) return answer;
    this.#refusedRecipient = recipient;
    this.#streak.blamed(recipient);
    this.#suspect = true;
    this.#trip(down);
    return down;
  }

  get #isKnown(): boolean {
    return this.#suspect || this.down !== undefined;
  }

  #isBelieved(recipient: string): boolean {
    const isDenying =
      recipient === this.#denyingRecipient || domainOf(recipient) === this.#denyingDomain;
    return isDenying && !this.#isKnown;
  }

  #fault(cause: ServerDown["cause"], fault: string): ServerDown {
    const { address } = this.mailer;
    return { kind: "server_down", cause, host: address, reason: `${address} ${fault}` };
  }

  #trip(down: ServerDown): void {
    this.#down = down;
    this.#streak.serverAtFault();
    this.#breaker.trip(down.reason);
  }

  async #probeUntilWell(signal: AbortSignal): Promise<string | undefined> {
    const probed = await this.mailer.probe(signal);
    if (probed.kind === "server_down") {
      this.#down = probed;
      return probed.reason;
    }
    return this.#suspect ? this.#try(signal) : undefined;
  }

  async #try(signal: AbortSignal): Promise<string | undefined> {
    const { clock, offerTrial } = this.#deps;
    const [ended, taken] = [
      Promise.withResolvers<string | undefined>(),
      Promise.withResolvers<void>(),
    ];
    const trial: Trial = { ended, taken, isTaken: false };
    this.#trial = trial;
    try {
      const isWanted = offerTrial({
        domains: this.#streak.refusedDomains,
        recipient: this.#refusedRecipient,
      });
      await Promise.race([trial.taken.promise, clock.sleep(trialOfferMs, signal)]);
      if (!trial.isTaken) return isWanted ? this.#down?.reason : undefined;
      const reason = await trial.ended.promise;
      if (reason === undefined) this.#suspect = false;
      return reason;
    } finally {
      this.#trial = undefined;
    }
  }

  #takeTrial(): Trial | undefined {
    const trial = this.#trial;
    if (trial === undefined || trial.isTaken || this.#breaker.state.kind === "closed") {
      return undefined;
    }
    trial.isTaken = true;
    trial.taken.resolve();
    return trial;
  }
}
