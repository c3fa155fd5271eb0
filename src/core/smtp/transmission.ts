import type { Readable } from "node:stream";
import type SMTPConnection from "nodemailer/lib/smtp-connection";
import type { SendPhase } from "./classify-send.ts";
import { classifySendFailure, isTurnedAway, withoutAnswer } from "./classify-send.ts";
import type { SmtpFailure } from "./failure.ts";
import { readFailure, replyOf } from "./failure.ts";
import { HeldContent } from "./held-content.ts";
import type { SmtpOptions } from "./options.ts";
import type { SmtpOutcome } from "./outcome.ts";
import { findQueueId } from "./queue-id.ts";
import { parseReply } from "./reply.ts";
import { silenceFor } from "./server-down.ts";
import { isAboutSession } from "./spent-session.ts";
import { tellContent } from "./talk.ts";

export interface SmtpMessage {
  readonly from: string;
  readonly to: string;
  /** The whole message, header and body, lines ended by CRLF. */
  readonly content: Buffer;
}

export interface SmtpSendOptions {
  /** Called once, when all of the content but the final dot was handed over. */
  readonly beforeContentEnds: () => Promise<boolean>;
  readonly signal?: AbortSignal | undefined;
}

export interface SentMessage {
  readonly outcome: SmtpOutcome;
  /** False: the connection was dead, or the server turned us away with 4xx, before MAIL FROM was accepted. */
  readonly begun: boolean;
  /** It ended with a temporary reply about the session, not about the message. */
  readonly sessionSpent?: boolean;
}

/**
 * One message on one connection.
 *
 * Envelope: MAIL, RCPT and DATA are out (in one write where the server allows). Content: the server
 * agreed to DATA, the bytes go out, then `beforeContentEnds` is asked; the dot is held back. Ended:
 * it resolved true and the dot was let go; from here only a reply decides, everything else is
 * ambiguous. Settled: the outcome is known; nothing of the message is written any more, and where
 * the session may be out of step the connection was closed. A settled outcome is given out only
 * after a `beforeContentEnds` that was asked has settled too.
 *
 * Each wait for the server is bounded (RFC 5321, 4.5.3.2): every reply of the envelope by the reply
 * timeout, taking the content and asking by the content's, the reply to the dot by its own.
 */
export class Transmission {
  readonly #connection: SMTPConnection;
  readonly #options: SmtpOptions;
  readonly #send: SmtpSendOptions;
  readonly #settled = Promise.withResolvers<SmtpOutcome>();
  readonly #content: HeldContent;
  readonly #onEnd = () => queueMicrotask(() => this.#fail(new Error("the connection was closed")));
  readonly #onAbort = () => this.#withhold();
  #phase: SendPhase = "envelope";
  #outcome: SmtpOutcome | undefined;
  #asking: Promise<void> | undefined;
  #timer: ReturnType<typeof setTimeout> | undefined;
  #begun = false;
  #sessionSpent = false;

  constructor(
    connection: SMTPConnection,
    message: SmtpMessage,
    options: SmtpOptions,
    send: SmtpSendOptions,
  ) {
    this.#connection = connection;
    this.#options = options;
    this.#send = send;
    this.#content = new HeldContent(message.content, {
      socket: () => connection._socket,
      onAsked: () => {
        this.#enter("content");
        tellContent(message.content, options);
      },
      onHandedOver: () => {
        this.#asking = this.#ask();
      },
    });
    connection.on("end", this.#onEnd);
    send.signal?.addEventListener("abort", this.#onAbort, { once: true });
    this.#armTimer();
    const content = this.#content as unknown as Readable; // as far as nodemailer looks at it
    connection.send({ from: message.from, to: message.to }, content, (error, info) => {
      if (error) this.#fail(error);
      else this.#answer(info.response);
    });
  }

  async finish(): Promise<SentMessage> {
    const outcome = await this.#settled.promise;
    await this.#asking;
    return { outcome, begun: this.#begun, sessionSpent: this.#sessionSpent };
  }

  #enter(phase: SendPhase): void {
    this.#phase = phase;
    this.#armTimer();
  }

  async #ask(): Promise<void> {
    let allowed = false;
    try {
      allowed = await this.#send.beforeContentEnds();
    } catch {
      // The port's rule: a throw withholds. The caller has its own words for what went wrong.
    }
    if (this.#outcome !== undefined) return;
    if (!allowed) {
      this.#withhold();
      return;
    }
    this.#enter("ended");
    this.#options.onTalk?.({ by: "client", text: "." });
    this.#content.letGo();
  }

  #answer(response: string): void {
    const { host } = this.#options;
    if (this.#phase !== "ended") {
      this.#connection.close();
      this.#settle(withoutAnswer(this.#phase, this.#options, "it was answered too early"));
      return;
    }
    const reply = parseReply(response).text;
    this.#settle({ kind: "accepted", host, reply, queueId: findQueueId(response) });
  }

  #fail(error: unknown): void {
    if (this.#outcome !== undefined) return;
    const failure = readFailure(error);
    this.#begun ||= this.#hasNewReply && !isTurnedAway(failure);
    this.#sessionSpent = isAboutSession(replyOf(failure));
    const outcome = classifySendFailure(failure, this.#phase, this.#options);
    if (!isOpenAfter(outcome, failure) || this.#phase === "content") this.#connection.close();
    this.#settle(outcome);
  }

  #withhold(): void {
    if (this.#outcome !== undefined || this.#phase === "ended") return;
    this.#connection.close();
    this.#settle({ kind: "withheld" });
  }

  get #hasNewReply(): boolean {
    return this.#connection.lastServerResponse !== false;
  }

  #armTimer(): void {
    clearTimeout(this.#timer);
    this.#begun ||= this.#phase !== "envelope";
    this.#connection.lastServerResponse = false;
    this.#timer = setTimeout(() => this.#onSilence(), this.#timeoutMs);
  }

  #onSilence(): void {
    // Where the envelope is not pipelined, a reply that came in time starts the next wait.
    if (this.#phase === "envelope" && this.#hasNewReply) {
      this.#begun = true;
      this.#armTimer();
      return;
    }
    const timeoutMs = this.#timeoutMs;
    const what = this.#phase === "content" ? "progress" : "reply";
    this.#connection.close();
    this.#settle(withoutAnswer(this.#phase, this.#options, silenceFor(what, timeoutMs)));
  }

  get #timeoutMs(): number {
    const { replyTimeoutMs, contentTimeoutMs, finalReplyTimeoutMs } = this.#options;
    const own = { envelope: undefined, content: contentTimeoutMs, ended: finalReplyTimeoutMs };
    return own[this.#phase] ?? replyTimeoutMs;
  }

  #settle(outcome: SmtpOutcome): void {
    if (this.#outcome !== undefined) return;
    this.#outcome = outcome;
    clearTimeout(this.#timer);
    this.#connection.off("end", this.#onEnd);
    this.#send.signal?.removeEventListener("abort", this.#onAbort);
    this.#settled.resolve(outcome);
  }
}

/** Refused in step: not at MAIL FROM, where replies to what was sent with it may still come. */
function isOpenAfter(outcome: SmtpOutcome, { command }: SmtpFailure): boolean {
  if (command === "MAIL FROM") return false;
  if (outcome.kind === "throttled") return outcome.code !== 421;
  return outcome.kind === "refused" || outcome.kind === "deferred";
}
