import type SMTPConnection from "nodemailer/lib/smtp-connection";
import type { SendOutcome, ServerDown } from "../mailer.ts";
import { findQueueId, isAboutSession, printReply } from "../reply.ts";
import type { SendPhase, SmtpFailure } from "./classify.ts";
import {
  classifySendFailure,
  classifySetupFailure,
  isConnectionRefused,
  isOpenAfter,
  mayRepeat,
  refuseUtf8,
  replyOf,
  silenceFor,
  withoutAnswer,
} from "./classify.ts";
import type { SmtpOptions } from "./config.ts";
import { openSession } from "./session.ts";
import type { Step } from "./wire.ts";
import { isClosing, SessionLimits, SmtpWire } from "./wire.ts";

/** A mail as a connection sees it. */
export interface CarriedMail {
  readonly from: string;
  readonly to: string;
  /** Whether neither of them needs SMTPUTF8. */
  readonly isAscii: boolean;
  readonly signal: AbortSignal | undefined;
  /** It is not repeated again. */
  readonly isRepeat: boolean;
  /**
   * The whole message as it is written, without the final dot. Undefined while it is being signed:
   * then `contentReady` follows.
   */
  contentFor(connection: SmtpConnection): Buffer | undefined;
  /** The server has all of it but the dot. The answer is `endContent` or `withhold`. */
  taken(): void;
  /** Its envelope was written, but it goes on another connection. */
  displaced(): void;
  /** `repeats`: this attempt does not count, and another one follows on a fresh connection. */
  ended(outcome: SendOutcome, repeats: boolean): void;
}

/** The pool that a connection belongs to. */
export interface ConnectionOwner {
  /** The next mail, if it may go on this connection behind the final dot of another one. */
  takeNext(connection: SmtpConnection): CarriedMail | undefined;
  /** The server loses what follows a dot: `takeNext` has nothing any more. */
  stopFollowing(): void;
  /** It carries no mail any more. */
  freed(connection: SmtpConnection): void;
  /** It was closed, by either side. */
  ended(connection: SmtpConnection): void;
  /** Calls `expire` at its `deadlineAt`, which is `at` or later. */
  wakeBy(at: number): void;
}

const quitTimeoutMs = 1_000;
/** Mails follow each other closely only where the last reply to a dot came this soon. */
const quickReplyMs = 250;
/** A mail waits so long behind another one's dot. */
const behindMsMax = 1_000;

/**
 * A session that is kept open for one mail after the other.
 *
 * Idle: nothing is expected of the server; what it says all the same ends the session. Envelope:
 * MAIL, RCPT and DATA were written, in one write if the server takes that (RFC 2920), after a RSET
 * if the last transaction may still be open. Content: the server accepted DATA and the bytes are
 * being sent, without the final dot; when the kernel has them all, the mail is asked (`taken`).
 * Ended: it was allowed and the dot was written; from here only a reply decides (`classify.ts`),
 * everything else is ambiguous. With the dot goes the envelope of the next mail, which is then
 * *behind* it: its content follows only after the reply to the dot; if that reply ends the session,
 * or does not come soon, the mail goes on another connection, as nothing of it can be accepted here.
 * Quitting: QUIT was written. Closed by either side: never used again; nothing more is written, so
 * that no dot can follow a mail whose outcome is known.
 *
 * Replies are matched in order. Each wait for the server is bounded (RFC 5321, 4.5.3.2): every reply
 * of the envelope by the reply timeout, the content and the question by the content's, the reply to
 * the dot by its own; the pool's clock calls `expire`.
 */
export class SmtpConnection {
  readonly #wire: SmtpWire;
  readonly #options: SmtpOptions;
  readonly #owner: ConnectionOwner;
  #pipelines: boolean;
  #current: CarriedMail | undefined;
  #behind: CarriedMail | undefined;
  #phase: SendPhase = "envelope";
  /** Whether the server accepted MAIL FROM, or refused it for good. */
  #begun = false;
  #isReused = false;
  /** What became of the mail behind whose dot the envelope was written. */
  #followed: SendOutcome["kind"] | undefined;
  /** The reply to RCPT, until that to DATA is read. */
  #refusal: string | undefined;
  #isClean = true;
  #dotAt = 0;
  #finalReplyMs = Number.POSITIVE_INFINITY;
  readonly limits: SessionLimits;
  isQuitting = false;
  /** By `performance.now()`. */
  deadlineAt = Number.POSITIVE_INFINITY;

  private constructor(session: SMTPConnection, options: SmtpOptions, owner: ConnectionOwner) {
    this.#options = options;
    this.#owner = owner;
    this.limits = new SessionLimits(session, options.messagesPerConnectionMax);
    this.#pipelines = this.limits.offersPipelining;
    this.#wire = new SmtpWire(session, options, {
      answered: (step, reply) => this.#answer(step, reply),
      closed: (failure) => this.#onClosed(failure),
    });
  }

  /** Never throws; `withheld`: the signal was aborted. */
  static async open(
    options: SmtpOptions,
    owner: ConnectionOwner,
    signal: AbortSignal,
  ): Promise<SmtpConnection | ServerDown | { readonly kind: "withheld" }> {
    try {
      const session = await openSession(options, signal);
      return new SmtpConnection(session, options, owner);
    } catch (error) {
      return signal.aborted ? { kind: "withheld" } : classifySetupFailure(error, options);
    }
  }

  get isClosed(): boolean {
    return this.#wire.isClosed;
  }

  /** Begins to send; the connection is idle. `isFresh`: it was opened for this mail. */
  carry(mail: CarriedMail, isFresh: boolean): void {
    this.#isReused = !isFresh;
    const settled = this.#settleUnsent(mail);
    if (settled !== undefined) {
      this.#owner.freed(this);
      mail.ended(settled, false);
      return;
    }
    this.#enter(mail);
    if (this.isClosed) this.#lose("the connection was closed");
    else this.#wire.write(this.#openEnvelope(mail));
  }

  /** The mail that was asked may end. */
  endContent(): void {
    this.#phase = "ended";
    const dot = this.#wire.command("dot", ".");
    const mayFollow =
      this.#pipelines && this.#finalReplyMs <= quickReplyMs && !this.limits.isExhausted;
    const next = mayFollow ? this.#owner.takeNext(this) : undefined;
    this.#behind = next;
    this.#dotAt = performance.now();
    this.#wire.write(next === undefined ? dot : dot + this.#openEnvelope(next));
    const waitMs = this.#timeoutMs;
    this.#expireAt(this.#dotAt + (next === undefined ? waitMs : Math.min(waitMs, behindMsMax)));
  }

  /** The current mail must not end. */
  withhold(): void {
    this.#finish({ kind: "withheld" }, false);
  }

  /** The content of the mail that waited for it, once the server had accepted DATA. */
  contentReady(mail: CarriedMail): void {
    if (this.#current === mail && this.#phase === "content") this.#writeContent(mail);
  }

  /** Gives up mails whose signal was aborted, unless they ended. */
  dropAborted(): void {
    if (this.#phase !== "ended" && this.#current?.signal?.aborted === true) this.withhold();
    const behind = this.#behind;
    if (behind?.signal?.aborted !== true) return;
    this.#behind = undefined; // its envelope stays open, so the connection ends after the reply
    behind.ended({ kind: "withheld" }, false);
  }

  /** Idle from now on. */
  rest(idleMsMax: number): void {
    this.#expireAt(performance.now() + idleMsMax);
  }

  /** Called at `deadlineAt`. */
  expire(now: number): void {
    if (this.isQuitting) this.#wire.close();
    else if (this.#current === undefined) this.quit();
    else if (this.#behind !== undefined && now < this.#dotAt + this.#timeoutMs) {
      this.#displace();
      this.#expireAt(this.#dotAt + this.#timeoutMs);
    } else {
      if (this.#followed !== undefined && !this.#begun) this.#owner.stopFollowing();
      this.#lose(silenceFor(this.#phase === "content" ? "progress" : "reply", this.#timeoutMs));
    }
  }

  /** Sends QUIT, waits for the answer for 1 s at most, and closes. Idempotent. */
  quit(): void {
    if (this.isQuitting || this.isClosed) return;
    this.isQuitting = true;
    this.#wire.write(this.#wire.command("QUIT", "QUIT"));
    this.#expireAt(performance.now() + quitTimeoutMs);
  }

  /** Closes it now, even with a message in flight. */
  cut(): void {
    this.#wire.close();
  }

  #settleUnsent(mail: CarriedMail): SendOutcome | undefined {
    if (mail.signal?.aborted === true) return { kind: "withheld" };
    if (!mail.isAscii && !this.limits.offersUtf8) return refuseUtf8(this.#options.host);
    return undefined;
  }

  #enter(mail: CarriedMail, followed?: SendOutcome["kind"]): void {
    this.#current = mail;
    this.#phase = "envelope";
    this.#begun = false;
    this.#refusal = undefined;
    this.#followed = followed;
    this.#expireAt(performance.now() + this.#options.replyTimeoutMs);
  }

  /** The commands that begin a mail: all of them where the server takes that, or the first one. */
  #openEnvelope(mail: CarriedMail): string {
    this.limits.count(mail.to);
    if (!this.#pipelines) return this.#command(this.#isClean ? "MAIL FROM" : "RSET", mail);
    const reset = this.#isClean ? "" : this.#command("RSET", mail);
    const sender = this.#command("MAIL FROM", mail);
    return reset + sender + this.#command("RCPT TO", mail) + this.#command("DATA", mail);
  }

  #command(step: "RSET" | "MAIL FROM" | "RCPT TO" | "DATA", mail: CarriedMail): string {
    let line: string = step;
    if (step === "MAIL FROM") {
      line = `MAIL FROM:<${mail.from}>${mail.isAscii || !this.limits.offersUtf8 ? "" : " SMTPUTF8"}`;
    } else if (step === "RCPT TO") line = `RCPT TO:<${mail.to}>`;
    return this.#wire.command(step, line);
  }

  #answer(step: Step | undefined, reply: string): void {
    const isPositive = reply.startsWith("2");
    switch (step) {
      case "RSET":
        this.#isClean = isPositive;
        if (isPositive) this.#goOn("MAIL FROM");
        else this.#lose("RSET failed");
        break;
      case "MAIL FROM":
        this.#begun = isPositive;
        if (isPositive) this.#goOn("RCPT TO");
        else this.#fail(step, reply);
        break;
      case "RCPT TO":
        if (isPositive) this.#goOn("DATA");
        else if (this.#wire.isInStep || isClosing(reply)) this.#fail(step, reply);
        else this.#refusal = reply; // that to DATA follows
        break;
      case "DATA":
        this.#answerData(reply);
        break;
      case "dot":
        this.#finalReplyMs = performance.now() - this.#dotAt;
        if (isPositive) this.#accept(reply);
        else this.#fail("DATA", reply);
        break;
      case "empty":
        this.#fail("RCPT TO", this.#refusal ?? reply, isClosing(reply));
        break;
      case "QUIT":
        this.#wire.close();
        break;
      case undefined:
        this.#answerUnasked(reply);
    }
  }

  #goOn(next: "MAIL FROM" | "RCPT TO" | "DATA"): void {
    this.#expireAt(performance.now() + this.#options.replyTimeoutMs);
    if (!this.#wire.isInStep || this.#current === undefined) return;
    this.#wire.write(this.#command(next, this.#current));
  }

  /** Some servers answer 250 instead of 354. */
  #answerData(reply: string): void {
    const isOpen = reply.startsWith("3");
    if (this.#refusal !== undefined) {
      if (!isOpen) {
        this.#fail("RCPT TO", this.#refusal, isClosing(reply));
        return;
      }
      // It took DATA without a recipient: the dot ends a message to nobody (RFC 2920, 3.1).
      this.#wire.write(this.#wire.command("empty", "."));
      return;
    }
    // Behind a dot it may be a reply too many to that, and all later ones would be taken for others.
    if (!isOpen && (this.#followed !== undefined || !reply.startsWith("2"))) {
      this.#fail("DATA", reply);
      return;
    }
    if (!isOpen) this.#pipelines = false;
    this.#phase = "content";
    this.#expireAt(performance.now() + this.#timeoutMs);
    if (this.#current !== undefined) this.#writeContent(this.#current);
  }

  #writeContent(mail: CarriedMail): void {
    const content = mail.contentFor(this);
    if (content !== undefined) this.#wire.writeContent(content, this.#onContentTaken);
  }

  readonly #onContentTaken = (error?: Error | null): void => {
    if (error || this.#phase !== "content") return;
    this.#current?.taken();
  };

  #accept(response: string): void {
    const { host } = this.#options;
    const queueId = findQueueId(response);
    this.#finish({ kind: "accepted", host, reply: printReply(response), queueId }, true);
  }

  /** Nothing was asked: the end of the session, or a reply to a content that has not ended. */
  #answerUnasked(reply: string): void {
    if (this.#current === undefined || this.#phase !== "content") this.#wire.close();
    else if (reply.startsWith("2")) this.#lose("it was answered too early");
    else this.#fail("DATA", reply);
  }

  #fail(command: string, response: string, closes = isClosing(response)): void {
    const description = printReply(response);
    this.#failBy({ codes: [], command, response, description }, closes);
  }

  #failBy(failure: SmtpFailure, closes: boolean): void {
    if (failure.command === "MAIL FROM") {
      const followsRefusal = this.#followed !== undefined && this.#followed !== "accepted";
      this.#begun = !followsRefusal && !isConnectionRefused(failure);
    }
    const outcome = classifySendFailure(failure, this.#phase, this.#options);
    const isOpen = !closes && this.#phase !== "content" && isOpenAfter(outcome, failure);
    this.#finish(outcome, isOpen, isAboutSession(replyOf(failure)));
  }

  #lose(reason: string): void {
    this.#finish(withoutAnswer(this.#phase, this.#options, reason), false);
  }

  /** The outcome of the current mail is known. `isOpen`: the session is in step, for the next one. */
  #finish(outcome: SendOutcome, isOpen: boolean, sessionExhausted = false): void {
    const mail = this.#current;
    if (mail === undefined) return;
    const isAccepted = outcome.kind === "accepted";
    const sent = { outcome, begun: this.#begun, sessionExhausted };
    const repeats = !isAccepted && !mail.isRepeat && mayRepeat(sent, this.#isReused);
    const next = this.#behind;
    const goesOn = isOpen && !repeats && !(sessionExhausted && next !== undefined);
    this.#current = undefined;
    this.#isClean = isAccepted || next !== undefined;
    if (goesOn && next !== undefined) {
      this.#behind = undefined;
      this.#isReused = true;
      this.#enter(next, outcome.kind);
    } else if (goesOn && this.#wire.isInStep) this.#owner.freed(this);
    else {
      this.#displace();
      if (isOpen && this.#wire.isInStep) this.quit();
      else this.#wire.close();
    }
    mail.ended(outcome, repeats);
  }

  #displace(): void {
    const mail = this.#behind;
    this.#behind = undefined; // its envelope stays open, so the session ends after the reply
    mail?.displaced();
  }

  #onClosed(failure: SmtpFailure): void {
    this.deadlineAt = Number.POSITIVE_INFINITY;
    if (this.#current !== undefined) this.#failBy(failure, true);
    this.#owner.ended(this);
  }

  get #timeoutMs(): number {
    const { replyTimeoutMs, contentTimeoutMs, finalReplyTimeoutMs } = this.#options;
    if (this.#phase === "envelope") return replyTimeoutMs;
    return (this.#phase === "content" ? contentTimeoutMs : finalReplyTimeoutMs) ?? replyTimeoutMs;
  }

  #expireAt(at: number): void {
    this.deadlineAt = at;
    this.#owner.wakeBy(at);
  }
}
