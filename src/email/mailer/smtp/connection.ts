import type SMTPConnection from "nodemailer/lib/smtp-connection";
import { domainOf, isAscii } from "../../../core/email-address.ts";
import type { RefusedMail, SendOptions, ServerDown } from "../mailer.ts";
import { classifySetupFailure, withoutAnswer } from "./classify.ts";
import type { SmtpOptions } from "./config.ts";
import { openSession } from "./session.ts";
import type { SentMessage, SmtpMessage } from "./transmission.ts";
import { Transmission } from "./transmission.ts";

const quitTimeoutMs = 1_000;

/**
 * A session that is kept open for one message after the other.
 *
 * Ready: logged in, nothing in flight. Sending: one message (`send`). Unclean: the last message was
 * refused, and its transaction may still be open: RSET is sent before the next one. Ended: closed
 * by either side; never used again. Callers send one message at a time.
 */
export class SmtpConnection {
  readonly #connection: SMTPConnection;
  readonly #options: SmtpOptions;
  readonly #limits: SessionLimits;
  readonly #domains = new Set<string>();
  #messages = 0;
  #clean = true;
  #quitting: Promise<void> | undefined;
  /** Whether the server offers SMTPUTF8 (RFC 6531). */
  readonly offersUtf8: boolean;
  /** When it was last used, for the pool. Unix ms. */
  idleSince = 0;

  private constructor(connection: SMTPConnection, options: SmtpOptions) {
    this.#connection = connection;
    this.#options = options;
    // What the server answered to EHLO; nodemailer has no public API for it.
    this.#limits = readSessionLimits(linesIn(connection, "_ehloLines"));
    this.offersUtf8 = linesIn(connection, "_supportedExtensions").includes("SMTPUTF8");
  }

  /** Never throws; `withheld`: the signal was aborted. */
  static async open(
    options: SmtpOptions,
    signal?: AbortSignal,
  ): Promise<SmtpConnection | ServerDown | { readonly kind: "withheld" }> {
    try {
      const connection = await openSession(options, signal);
      // From here on each wait has its own timer, and an idle session has none.
      if (connection._socket) connection._socket.setTimeout(0);
      return new SmtpConnection(connection, options);
    } catch (error) {
      if (signal?.aborted === true) return { kind: "withheld" };
      return classifySetupFailure(error, options);
    }
  }

  get ended(): boolean {
    return this.#connection.destroyed || this.#quitting !== undefined;
  }

  /** Whether it has carried its maximum of messages, ours or the server's. */
  get exhausted(): boolean {
    const own = this.#options.messagesPerConnectionMax || Number.POSITIVE_INFINITY;
    return this.#messages >= Math.min(own, this.#limits.mails);
  }

  /**
   * Whether another recipient's domain is within the limit that the server announced for a session.
   */
  takes(to: string): boolean {
    return this.#domains.has(domainOf(to)) || this.#domains.size < this.#limits.recipientDomains;
  }

  async send(message: SmtpMessage, options: SendOptions): Promise<SentMessage> {
    this.#messages += 1;
    if (this.#limits.recipientDomains !== Number.POSITIVE_INFINITY) {
      this.#domains.add(domainOf(message.to)); // else unbounded
    }
    if (!this.#clean && !(await this.#reset())) {
      return { outcome: withoutAnswer("envelope", this.#options, "RSET failed"), begun: false };
    }
    // It may have been aborted while the connection was opened or reset, before the listener was
    // added.
    if (options.signal?.aborted === true) return { outcome: { kind: "withheld" }, begun: false };
    if (!isAscii(message.to) && !this.offersUtf8) {
      return { outcome: refuseUtf8(this.#options.host), begun: true };
    }
    const sent = await new Transmission(this.#connection, message, this.#options, options).run();
    this.#clean = sent.outcome.kind === "accepted";
    return sent;
  }

  /** Closes it now, even with a message in flight. */
  cut(): void {
    this.#connection.close();
  }

  /** Sends QUIT, waits for the answer for 1 s at most, and closes. */
  quit(): Promise<void> {
    this.#quitting ??= new Promise<void>((resolve) => {
      if (this.#connection.destroyed) {
        resolve();
        return;
      }
      const timer = setTimeout(() => this.#connection.close(), quitTimeoutMs);
      this.#connection.once("end", () => {
        clearTimeout(timer);
        resolve();
      });
      this.#connection.quit();
    });
    return this.#quitting;
  }

  #reset(): Promise<boolean> {
    return new Promise((resolve) => {
      const settle = (done: boolean) => {
        clearTimeout(timer);
        this.#connection.off("end", onEnd);
        if (!done) this.#connection.close();
        resolve(done);
      };
      const onEnd = () => settle(false);
      const timer = setTimeout(onEnd, this.#options.replyTimeoutMs);
      this.#connection.once("end", onEnd);
      this.#connection.reset((error) => settle(!error));
    });
  }
}

/** What a server announces for one session (RFC 9422); one recipient per mail is always allowed. */
interface SessionLimits {
  readonly mails: number;
  readonly recipientDomains: number;
}

/** `lines`: of the answer to EHLO, without their codes. A value that is no number is no limit. */
function readSessionLimits(lines: readonly string[]): SessionLimits {
  const line = lines.find((each) => /^LIMITS(?:\s|$)/i.test(each)) ?? "";
  const limit = (name: string) => {
    const value = Number(new RegExp(`\\s${name}=(\\d{1,9})(?:\\s|$)`, "i").exec(line)?.[1] ?? 0);
    return value > 0 ? value : Number.POSITIVE_INFINITY;
  };
  return { mails: limit("MAILMAX"), recipientDomains: limit("RCPTDOMAINMAX") };
}

function linesIn(connection: SMTPConnection, field: string): readonly string[] {
  const lines: unknown = Reflect.get(connection, field);
  return Array.isArray(lines) ? lines.map(String) : [];
}

/**
 * Uses the codes of a server (RFC 6531, 3.4 and 4.2), though nothing was sent: the server lacks a
 * feature. That says nothing about the mailbox, so it does not suppress.
 */
function refuseUtf8(host: string): RefusedMail {
  const reply =
    "553 5.6.7 not sent: the server does not offer SMTPUTF8, which non-ASCII characters before the @ require";
  return { kind: "refused", host, code: 553, enhancedCode: "5.6.7", reply, stage: "recipient" };
}
