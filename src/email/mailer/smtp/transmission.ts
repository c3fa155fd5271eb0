import type { Socket } from "node:net";
import type { Readable } from "node:stream";
import type SMTPConnection from "nodemailer/lib/smtp-connection";
import type { SmtpFailure } from "../reply.ts";
import { findQueueId, isAboutSession, parseReply, readFailure, replyOf } from "../reply.ts";
import type { SendPhase } from "./classify.ts";
import { classifySendFailure, isTurnedAway, withoutAnswer } from "./classify.ts";
import type { SmtpOptions } from "./config.ts";
import type { SmtpOutcome } from "./outcome.ts";
import { silenceFor } from "./outcome.ts";

/**
 * A message's content, whose end is held back: nothing can be accepted before `letGo` wrote the
 * final dot. It stands where nodemailer expects a stream, and writes to the connection itself:
 * nodemailer's streams look at each byte, and cost as much as the rest of a message together.
 *
 * Waiting: the server has not agreed to DATA. Asked: it has, `onAsked` was called and the bytes are
 * on their way. Handed over: the system took them all, `onHandedOver` was called. Ended: `letGo` was
 * called. Whoever closes the connection before has sent no dot.
 */
class HeldContent {
  readonly #bytes: Buffer;
  readonly #socket: () => Socket | false | null;
  readonly #onAsked: () => void;
  readonly #onHandedOver: () => void;

  /** `bytes`: lines ended by CRLF, the last one too, and no CR or LF elsewhere. */
  constructor(
    bytes: Buffer,
    hooks: {
      readonly socket: () => Socket | false | null;
      readonly onAsked: () => void;
      readonly onHandedOver: () => void;
    },
  ) {
    this.#bytes = bytes;
    this.#socket = hooks.socket;
    this.#onAsked = hooks.onAsked;
    this.#onHandedOver = hooks.onHandedOver;
  }

  /** As of a stream, and all that nodemailer asks of one; it would write `stream` to the socket. */
  pipe(stream: Readable): void {
    stream.unpipe();
    this.#onAsked();
    this.#write(stuffed(this.#bytes), (error) => {
      if (!error) this.#onHandedOver(); // else the connection says that it broke
    });
  }

  letGo(): void {
    this.#write(finalDot);
  }

  #write(bytes: Buffer, onTaken?: (error?: Error | null) => void): void {
    const socket = this.#socket();
    if (socket) socket.write(bytes, onTaken);
  }
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

const hidden = "***";

/**
 * What nodemailer logs of the talk, line by line, credentials hidden: what follows AUTH's mechanism,
 * each answer to a 334, and the password wherever it comes up. Undefined when nobody listens.
 */
export function createTalkLogger(options: SmtpOptions) {
  const { onTalk } = options;
  if (onTalk === undefined) return undefined;
  const secrets = secretForms(options);
  let credentialsNext = false;
  return {
    debug: ({ tnx }: { readonly tnx?: string }, text: string) => {
      if (tnx === "server") {
        credentialsNext = text.startsWith("334");
        for (const line of text.split("\n")) onTalk({ by: "server", text: show(line, secrets) });
      } else if (tnx === "client") {
        const command = credentialsNext ? hidden : text.replace(/^(AUTH \S+) .*/s, `$1 ${hidden}`);
        onTalk({ by: "client", text: show(command, secrets) });
        credentialsNext = false;
      }
    },
    ...{ trace: ignore, info: ignore, warn: ignore, error: ignore, fatal: ignore },
  };
}

/** Says whom we are connected to, and what its certificate says, once the session is secure. */
export function tellConnected(connection: SMTPConnection, options: SmtpOptions): void {
  const socket = connection._socket;
  if (options.onTalk === undefined || !socket) return;
  if (!("getPeerCertificate" in socket && "getProtocol" in socket)) {
    options.onTalk({ by: "note", text: "the connection is not encrypted" });
    return;
  }
  const { getPeerCertificate, getProtocol } = socket as import("node:tls").TLSSocket;
  const { subject, issuer, valid_to: validTo } = getPeerCertificate.call(socket);
  const text = `${getProtocol.call(socket)}, certificate of ${subject?.CN} by ${issuer?.CN ?? issuer?.O}, valid until ${validTo}`;
  options.onTalk({ by: "note", text: show(text, []) });
}

/** Says what the message's header is; of its body only how long it is. */
function tellContent(content: Buffer, { onTalk }: SmtpOptions): void {
  if (onTalk === undefined) return;
  const headEnd = content.indexOf("\r\n\r\n");
  const head = content.subarray(0, headEnd).toString("utf8");
  for (const line of head.split("\r\n")) onTalk({ by: "client", text: show(line, []) });
  const bytes = (content.length - headEnd - 4).toLocaleString("en");
  onTalk({ by: "client", text: "" });
  onTalk({ by: "note", text: `${bytes} bytes of text and HTML, not shown` });
}

function secretForms({ user = "", password }: SmtpOptions): readonly string[] {
  if (password === undefined) return [];
  const base64 = (text: string) => Buffer.from(text).toString("base64");
  return [base64(`\0${user}\0${password}`), base64(password), password];
}

/** A terminal obeys what it is shown, so nothing of the server's may be a control character. */
function show(text: string, secrets: readonly string[]): string {
  let shown = text;
  for (const secret of secrets) shown = shown.replaceAll(secret, hidden);
  return shown.replace(/[\p{Cc}\p{Cf}\p{Zl}\p{Zp}]/gu, " ").trimEnd();
}

function ignore(): void {}

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
