// One mail over one SMTP connection.
import type { Readable } from "node:stream";
import type SMTPConnection from "nodemailer/lib/smtp-connection";
import type { SendOptions, SendOutcome } from "../mailer.ts";
import { findQueueId, isAboutSession, printReply } from "../reply.ts";
import type { SendPhase, SmtpFailure } from "./classify.ts";
import {
  classifySendFailure,
  isConnectionRefused,
  readFailure,
  replyOf,
  silenceFor,
  withoutAnswer,
} from "./classify.ts";
import type { SmtpOptions } from "./config.ts";
import { recordContent } from "./transcript.ts";

export interface SmtpMessage {
  readonly from: string;
  readonly to: string;
  /** The whole message, header and body, lines ended by CRLF. */
  readonly content: Buffer;
}

export interface SentMessage {
  readonly outcome: SendOutcome;
  /**
   * False: the connection was dead, or the server refused us with 4xx, before MAIL FROM was
   * accepted.
   */
  readonly begun: boolean;
  /** It ended with a temporary reply about the session, not about the message. */
  readonly sessionExhausted?: boolean;
}

/**
 * One message on one connection.
 *
 * Envelope: MAIL, RCPT and DATA were sent (in one write if the server allows it). Content: the
 * server accepted DATA and the bytes are being sent, without the final dot; when all are written,
 * `beforeContentEnds` is called. Ended: it resolved true and the dot was written; from here only a
 * reply decides (`classify.ts`), everything else is ambiguous. Settled: the outcome is known;
 * nothing more of the message is written, and if the session may be out of step the connection was
 * closed, so that no dot can follow. A settled outcome is returned only after a `beforeContentEnds`
 * that was called has settled too.
 *
 * Each wait for the server is bounded (RFC 5321, 4.5.3.2): every reply of the envelope by the reply
 * timeout, the content and `beforeContentEnds` by the content's, the reply to the dot by its own.
 */
export class Transmission {
  readonly #connection: SMTPConnection;
  readonly #message: SmtpMessage;
  readonly #options: SmtpOptions;
  readonly #send: SendOptions;
  readonly #settled = Promise.withResolvers<SendOutcome>();
  readonly #onEnd = () => queueMicrotask(() => this.#fail(new Error("the connection was closed")));
  readonly #onAbort = () => this.#withhold();
  #phase: SendPhase = "envelope";
  #outcome: SendOutcome | undefined;
  #confirming: Promise<void> | undefined;
  #timer: ReturnType<typeof setTimeout> | undefined;
  #begun = false;
  #sessionExhausted = false;

  constructor(
    connection: SMTPConnection,
    message: SmtpMessage,
    options: SmtpOptions,
    send: SendOptions,
  ) {
    this.#connection = connection;
    this.#message = message;
    this.#options = options;
    this.#send = send;
  }

  /** Once. */
  async run(): Promise<SentMessage> {
    this.#connection.on("end", this.#onEnd);
    this.#send.signal?.addEventListener("abort", this.#onAbort, { once: true });
    this.#armTimer();
    const { from, to } = this.#message;
    // The part of a stream that nodemailer uses.
    const content = { pipe: (target: Readable) => this.#writeContent(target) };
    this.#connection.send({ from, to }, content as unknown as Readable, (error, info) => {
      if (error) this.#fail(error);
      else this.#answer(info.response);
    });
    const outcome = await this.#settled.promise;
    await this.#confirming;
    return { outcome, begun: this.#begun, sessionExhausted: this.#sessionExhausted };
  }

  /**
   * The server accepted DATA. Bypasses `target`, through which nodemailer would end the content
   * itself and scan each byte, which costs as much as the rest of a message.
   */
  #writeContent(target: Readable): void {
    target.unpipe();
    this.#enter("content");
    recordContent(this.#message.content, this.#options);
    this.#write(stuffed(this.#message.content), (error) => {
      if (!error) this.#confirming = this.#confirmEnd(); // else the connection reports that it broke
    });
  }

  #write(bytes: Buffer, onTaken?: (error?: Error | null) => void): void {
    const socket = this.#connection._socket;
    if (socket) socket.write(bytes, onTaken);
  }

  #enter(phase: SendPhase): void {
    this.#phase = phase;
    this.#armTimer();
  }

  async #confirmEnd(): Promise<void> {
    let allowed = false;
    try {
      allowed = await this.#send.beforeContentEnds();
    } catch {
      // The port's contract: a throw withholds. The caller reports the error itself.
    }
    if (this.#outcome !== undefined) return;
    if (!allowed) {
      this.#withhold();
      return;
    }
    this.#enter("ended");
    this.#options.onTranscript?.({ by: "client", text: "." });
    this.#write(finalDot);
  }

  #answer(response: string): void {
    const { host } = this.#options;
    if (this.#phase !== "ended") {
      this.#connection.close();
      this.#settle(withoutAnswer(this.#phase, this.#options, "it was answered too early"));
      return;
    }
    const reply = printReply(response);
    this.#settle({ kind: "accepted", host, reply, queueId: findQueueId(response) });
  }

  #fail(error: unknown): void {
    if (this.#outcome !== undefined) return;
    const failure = readFailure(error);
    this.#begun ||= this.#hasNewReply && !isConnectionRefused(failure);
    this.#sessionExhausted = isAboutSession(replyOf(failure));
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

  #settle(outcome: SendOutcome): void {
    if (this.#outcome !== undefined) return;
    this.#outcome = outcome;
    clearTimeout(this.#timer);
    this.#connection.off("end", this.#onEnd);
    this.#send.signal?.removeEventListener("abort", this.#onAbort);
    this.#settled.resolve(outcome);
  }
}

/** Refused in step: not at MAIL FROM, where replies to what was sent with it may still come. */
function isOpenAfter(outcome: SendOutcome, { command }: SmtpFailure): boolean {
  if (command === "MAIL FROM") return false;
  if (outcome.kind === "throttled") return outcome.code !== 421;
  return outcome.kind === "refused" || outcome.kind === "deferred";
}

const dot = Buffer.from(".");
const finalDot = Buffer.from(".\r\n");
const dottedLine = Buffer.from("\r\n.");

/** RFC 5321, 4.5.2: a line that begins with a dot gets one more. */
function stuffed(bytes: Buffer): Buffer {
  const pieces: Buffer[] = bytes[0] === dot[0] ? [dot] : [];
  let from = 0;
  for (let at = bytes.indexOf(dottedLine); at >= 0; at = bytes.indexOf(dottedLine, from)) {
    pieces.push(bytes.subarray(from, at + 2), dot);
    from = at + 2;
  }
  return pieces.length === 0 ? bytes : Buffer.concat([...pieces, bytes.subarray(from)]);
}
