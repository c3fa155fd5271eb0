import type SMTPConnection from "nodemailer/lib/smtp-connection";
import { withoutAnswer } from "./classify-send.ts";
import { classifySetupFailure } from "./classify-setup.ts";
import { openSession } from "./open-session.ts";
import type { SmtpOptions } from "./options.ts";
import type { SmtpServerDown } from "./outcome.ts";
import type { SessionLimits } from "./spent-session.ts";
import { readSessionLimits } from "./spent-session.ts";
import type { SentMessage, SmtpMessage, SmtpSendOptions } from "./transmission.ts";
import { Transmission } from "./transmission.ts";
import { isAscii, offersUtf8, refuseUtf8 } from "./utf8-address.ts";

const quitTimeoutMs = 1_000;

/**
 * A session that is kept open for one message after the other.
 *
 * Ready: logged in, nothing in flight. Sending: one message (`send`). Unclean: the last message was
 * refused, and its transaction may still be open: RSET goes before the next one. Ended: closed by
 * either side; never used again. Whoever holds the connection sends one message at a time.
 */
export class SmtpConnection {
  readonly #connection: SMTPConnection;
  readonly #options: SmtpOptions;
  readonly #limits: SessionLimits;
  readonly #domains = new Set<string>();
  #messages = 0;
  #clean = true;
  #quitting: Promise<void> | undefined;
  /** When it was last used, for whoever keeps it. Unix ms. */
  idleSince = 0;

  private constructor(connection: SMTPConnection, options: SmtpOptions) {
    this.#connection = connection;
    this.#options = options;
    const lines: unknown = Reflect.get(connection, "_ehloLines"); // no public way to ask
    this.#limits = readSessionLimits(Array.isArray(lines) ? lines.map(String) : []);
  }

  /** Never throws; `withheld`: the signal was aborted. */
  static async open(
    options: SmtpOptions,
    signal?: AbortSignal,
  ): Promise<SmtpConnection | SmtpServerDown | { readonly kind: "withheld" }> {
    try {
      const connection = await openSession(options, signal);
      // From here each wait has its own timer, and an idle session may be silent.
      if (connection._socket) connection._socket.setTimeout(0);
      options.onUtf8?.(offersUtf8(connection));
      return new SmtpConnection(connection, options);
    } catch (error) {
      if (signal?.aborted === true) return { kind: "withheld" };
      return classifySetupFailure(error, options);
    }
  }

  get ended(): boolean {
    return this.#connection.destroyed || this.#quitting !== undefined;
  }

  /** Whether it carried as many messages as one connection should, or may. */
  get spent(): boolean {
    const own = this.#options.messagesPerConnectionMax || Number.POSITIVE_INFINITY;
    return this.#messages >= Math.min(own, this.#limits.mails);
  }

  /** Whether one more recipient's domain is within what the server announced for a session. */
  takes(to: string): boolean {
    return this.#domains.has(domainOf(to)) || this.#domains.size < this.#limits.recipientDomains;
  }

  async send(message: SmtpMessage, options: SmtpSendOptions): Promise<SentMessage> {
    this.#messages += 1;
    if (this.#limits.recipientDomains !== Number.POSITIVE_INFINITY) {
      this.#domains.add(domainOf(message.to)); // else unbounded
    }
    if (!this.#clean && !(await this.#reset())) {
      return { outcome: withoutAnswer("envelope", this.#options, "RSET failed"), begun: false };
    }
    // It may have been aborted while the connection was opened or reset; no event tells then.
    if (options.signal?.aborted === true) return { outcome: { kind: "withheld" }, begun: false };
    if (!isAscii(message.to) && !offersUtf8(this.#connection)) {
      return { outcome: refuseUtf8(this.#options.host), begun: true };
    }
    const transmission = new Transmission(this.#connection, message, this.#options, options);
    const sent = await transmission.finish();
    this.#clean = sent.outcome.kind === "accepted";
    return sent;
  }

  /** Ends it now, whatever is on its way. */
  cut(): void {
    this.#connection.close();
  }

  /** Says QUIT and waits for the answer, 1 s at most; then it is closed. */
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

function domainOf(address: string): string {
  return address.slice(address.lastIndexOf("@") + 1).toLowerCase();
}
