import { domainOf } from "../../core/email-address.ts";
import type { Clock } from "../../core/time.ts";
import { Breaker } from "../delivery/breaker.ts";
import type {
  ContentEnding,
  Mailer,
  ProbeOutcome,
  SendOutcome,
  ServerDown,
  Submission,
} from "./mailer.ts";
import { ServerStreak } from "./server-streak.ts";

/**
 * Called once for each mailer; the returned function is called with the outcome of each message.
 */
export type ObserveMailer = (mailer: Mailer) => (outcome: SendOutcome, seconds: number) => void;

export interface MailServerDeps {
  readonly clock: Clock;
  /** See `ServerStreak`. */
  readonly refusalsMax: number;
  readonly observe?: ObserveMailer | undefined;
  /** False: a single failure is not an outage, only ten in a row are. */
  readonly pauses: boolean;
  /** There is no other server. */
  readonly alone: boolean;
  /** Called when it goes down for `reason`, or is back (undefined). */
  readonly onChange: (server: MailServer, reason: string | undefined) => void;
  /** Whether a mail that it did not take may be sent at once through another server. */
  readonly hasAnother: (server: MailServer) => boolean;
  /** Releases one of the waiting mails as a trial; false when none waits. */
  readonly offerTrial: (refused: {
    readonly domains: ReadonlySet<string>;
    readonly recipient: string | undefined;
  }) => boolean;
}

/**
 * RFC 6531: the server lacks a feature for this one address, which is irrelevant for other mails.
 */
const utf8Missing = "5.6.7";

/** How long a trial stays open; the released mail consults the ledger first. */
const trialOfferMs = 2_000;

interface Trial {
  /** Undefined: the server accepted the mail; else the reason why it still counts as down. */
  readonly ended: PromiseWithResolvers<string | undefined>;
  readonly taken: PromiseWithResolvers<void>;
  isTaken: boolean;
}

/**
 * One SMTP server and its state, derived from its answers.
 *
 * Up: mails are sent to it. Down: it could not be reached, closed the connection, or deferred all
 * recipients; probes (which send nothing) follow after 1, 2, 4, 5, 5 … s, and the first that
 * succeeds makes it up. Suspect: it refused all recipients (`ServerStreak`), or blamed the account
 * in its reply to one mail. It counts as down, but a probe cannot show whether it is: after each
 * successful probe a single waiting mail is sent as a trial, preferably to a domain that has not
 * refused us, or else to another recipient. Accepted: the server is up; and if only one domain had
 * refused us, refusals of that domain (or, if the trial went to it, of the recipient refused last)
 * count as definite from then on. Anything else: down again, and the attempt does not count. When
 * no mail waits for a trial, all mails may be sent again, and the first refusal takes the server
 * down.
 */
export class MailServer {
  readonly mailer: Mailer;
  readonly #deps: MailServerDeps;
  readonly #breaker: Breaker;
  readonly #streak: ServerStreak;
  readonly #observe: ReturnType<ObserveMailer> | undefined;
  #down: ServerDown | undefined;
  #suspect = false;
  #lossesInRow = 0;
  /**
   * A domain that refused us while the server accepted a mail to another one: its refusals are its
   * own.
   */
  #denyingDomain: string | undefined;
  /** The recipient refused last, and one whose refusals count as its own. */
  #refusedRecipient: string | undefined;
  #denyingRecipient: string | undefined;
  #trial: Trial | undefined;

  constructor(mailer: Mailer, deps: MailServerDeps) {
    const { clock, refusalsMax, onChange } = deps;
    this.mailer = mailer;
    this.#deps = deps;
    this.#observe = deps.observe?.(mailer);
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

  /** Down because recipients of a single domain were refused. */
  get mayBeOneDomain(): boolean {
    const { down } = this;
    const isSuspected = down?.cause === "refusing" || down?.answer !== undefined;
    return isSuspected && this.#streak.refusedDomains.size === 1;
  }

  submit(submission: Submission): void {
    const trial = this.#takeTrial();
    const isSuspect = trial !== undefined && this.mayBeOneDomain;
    const suspect = isSuspect ? [...this.#streak.refusedDomains][0] : undefined;
    const attempt = new Attempt(this, submission, this.#streak.begin(), { trial, suspect });
    try {
      this.mailer.submit(attempt);
    } catch (error) {
      trial?.ended.resolve("the trial was given up");
      throw error;
    }
  }

  /** The outcome as the caller gets it. */
  settle(attempt: Attempt, sent: SendOutcome): SendOutcome {
    const { to } = attempt.message;
    const { trial, suspect } = attempt.trying;
    this.#observe?.(sent, (performance.now() - attempt.startedAt) / 1000);
    const outcome = this.#judge(to, attempt.begunAt, sent);
    if (outcome.kind === "accepted" && trial !== undefined) {
      const isOther = suspect !== undefined && suspect !== domainOf(to);
      this.#denyingDomain = isOther ? suspect : undefined;
      const wasRefused = this.#refusedRecipient !== to && !isOther && suspect !== undefined;
      this.#denyingRecipient = wasRefused ? this.#refusedRecipient : undefined;
      trial.ended.resolve(undefined);
    }
    trial?.ended.resolve(this.#down?.reason ?? "the trial was given up");
    const another = outcome.kind === "server_down" && this.#deps.hasAnother(this);
    return another ? { ...outcome, another } : outcome;
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

  /**
   * Updates the state by an outcome; returns the outcome, changed to `server_down` where the server
   * is at fault.
   */
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
        else if (this.#isBelieved(recipient)) return outcome.answer;
        else return this.#blame(recipient, outcome);
        return outcome;
      default:
        return outcome; // concerns the mail, or this connection
    }
  }

  #deferred(recipient: string): void {
    if (!this.#streak.deferred(recipient)) return;
    this.#trip(this.#fault("system", "defers every mail; its replies are in the log"));
  }

  /** A single connection may just have ended; two in a row are reason to use another server. */
  #lost(outcome: Extract<SendOutcome, { kind: "lost" }>): SendOutcome {
    this.#lossesInRow += 1;
    if (this.#lossesInRow < 2) return outcome;
    this.#lossesInRow = 0;
    const down = this.#fault(
      "closing",
      `ends its sessions before it has received the mail (${outcome.reason})`,
    );
    this.#trip(down);
    return down;
  }

  #refused(recipient: string, outcome: Extract<SendOutcome, { kind: "refused" }>): SendOutcome {
    if (this.#isBelieved(recipient)) return outcome;
    const confirmation = this.#isKnown ? undefined : this.#streak.refused(recipient);
    if (confirmation === undefined) {
      const fault = `refuses every mail and accepted none in between (last reply: ${outcome.reply}): check the account and its limits there, SMTP_FROM, and that it relays for us; EMAIL_REFUSAL_GUARD=0 treats each refusal as definite`;
      return this.#blame(recipient, this.#fault("refusing", fault));
    }
    this.#refusedRecipient = recipient;
    return { ...outcome, confirmation };
  }

  /**
   * Its reply to this recipient's mail is the server's fault. Only a trial, not a probe, can show
   * that it has ended.
   */
  #blame(recipient: string, down: ServerDown): ServerDown {
    this.#refusedRecipient = recipient;
    this.#suspect = true;
    this.#streak.blamed(recipient);
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

/** One mail that was handed to a server. */
class Attempt implements Submission {
  readonly message: Submission["message"];
  readonly signal: Submission["signal"];
  readonly trace: Submission["trace"];
  readonly startedAt = performance.now();
  /** In the server's `ServerStreak`. */
  readonly begunAt: number;
  /** `suspect`: the only domain that had refused us when this trial began. */
  readonly trying: { readonly trial: Trial | undefined; readonly suspect: string | undefined };
  readonly #server: MailServer;
  readonly #submission: Submission;

  constructor(
    server: MailServer,
    submission: Submission,
    begunAt: number,
    trying: Attempt["trying"],
  ) {
    this.message = submission.message;
    this.signal = submission.signal;
    this.trace = submission.trace;
    this.begunAt = begunAt;
    this.trying = trying;
    this.#server = server;
    this.#submission = submission;
  }

  contentTaken(ending: ContentEnding): void {
    this.#submission.contentTaken(ending);
  }

  settled(outcome: SendOutcome): void {
    this.#submission.settled(this.#server.settle(this, outcome));
  }
}
