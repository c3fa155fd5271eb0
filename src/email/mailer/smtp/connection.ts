import net from "node:net";
import { TLSSocket } from "node:tls";
import SMTPConnection from "nodemailer/lib/smtp-connection";
import { readExpiry } from "../../../core/diagnosis.ts";
import { domainOf, isAscii } from "../../../core/email-address.ts";
import { errorMessage } from "../../../core/errors.ts";
import type { RefusedMail, SendOptions, ServerDown } from "../mailer.ts";
import { classifySetupFailure, readFailure, silenceFor, withoutAnswer } from "./classify.ts";
import type { SmtpOptions } from "./config.ts";
import type { SentMessage, SmtpMessage } from "./transmission.ts";
import { createTranscriptLogger, recordConnection, Transmission } from "./transmission.ts";

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

const replyBytesMax = 64 * 1024;
/** EHLO, STARTTLS, EHLO again, and up to three lines of a login. */
const repliesMax = 6;

/**
 * Connects, secures and logs in: resolves with a session that is ready for MAIL FROM. Rejects with
 * the raw error (for `classifySetupFailure`) or the signal's reason; then nothing is left open.
 * Each step has its own timeout; an overall one stops a server that answers byte by byte.
 */
export async function openSession(
  options: SmtpOptions,
  signal?: AbortSignal,
): Promise<SMTPConnection> {
  const { host, port, connectTimeoutMs } = options;
  const socket = await connectTcp({ host, port, timeoutMs: connectTimeoutMs }, signal);
  const connection = createConnection(socket, options);
  const failed = Promise.withResolvers<never>();
  failed.promise.catch(() => {});
  connection.on("error", failed.reject); // also after the setup: an error event must have a listener
  connection.once("end", () => failed.reject(new Error("the server closed the connection")));
  const onAbort = () => failed.reject(signal?.reason);
  signal?.addEventListener("abort", onAbort, { once: true });
  const setupMs = setupTimeoutMs(options);
  const timer = setTimeout(() => {
    failed.reject(Object.assign(new Error(silenceFor("session", setupMs)), { code: "ETIMEDOUT" }));
  }, setupMs);
  try {
    await Promise.race([welcome(connection), failed.promise]);
    recordConnection(connection, options);
    reportCertificate(connection, options);
    await Promise.race([logIn(connection, options), failed.promise]);
    return connection;
  } catch (error) {
    connection.close();
    throw connection.upgrading === true ? inHandshake(error) : error;
  } finally {
    clearTimeout(timer);
    signal?.removeEventListener("abort", onAbort);
  }
}

/**
 * Connects to `host`, trying all of its addresses, within `timeoutMs` (the name's lookup included).
 * Rejects with the socket's error, with code ETIMEDOUT when it was late, or with the signal's reason.
 */
function connectTcp(
  target: { readonly host: string; readonly port: number; readonly timeoutMs: number },
  signal?: AbortSignal,
): Promise<net.Socket> {
  const { host, port, timeoutMs } = target;
  return new Promise((resolve, reject) => {
    const socket = net.connect({ host, port, autoSelectFamily: true });
    const settle = (act: () => void) => {
      clearTimeout(timer);
      signal?.removeEventListener("abort", onAbort);
      socket.off("error", fail);
      act();
    };
    const fail = (error: unknown) =>
      settle(() => {
        socket.on("error", () => {}); // of a destroyed socket
        socket.destroy();
        reject(error);
      });
    const onAbort = () => fail(signal?.reason);
    const timer = setTimeout(() => {
      fail(Object.assign(new Error(silenceFor("connection", timeoutMs)), { code: "ETIMEDOUT" }));
    }, timeoutMs);
    socket.once("error", fail);
    socket.once("connect", () => settle(() => resolve(socket)));
    signal?.addEventListener("abort", onAbort, { once: true });
    if (signal?.aborted === true) onAbort();
  });
}

function createConnection(socket: net.Socket, options: SmtpOptions): SMTPConnection {
  const { host, port, tls, ca } = options;
  return new SMTPConnection({
    host,
    port,
    connection: socket,
    ...(options.ehloName === undefined ? {} : { name: options.ehloName }),
    secure: tls === "implicit",
    requireTLS: tls === "starttls",
    ignoreTLS: tls === "none",
    tls: { minVersion: "TLSv1.2", rejectUnauthorized: true, ...(ca === undefined ? {} : { ca }) },
    connectionTimeout: setupTimeoutMs(options),
    greetingTimeout: options.greetingTimeoutMs,
    socketTimeout: options.replyTimeoutMs,
    socketCloseTimeout: 0, // close immediately: unwritten bytes must not be written later
    maxResponseSize: replyBytesMax,
    logger: createTranscriptLogger(options) ?? false,
    transactionLog: options.onTranscript !== undefined,
  });
}

function setupTimeoutMs(options: SmtpOptions): number {
  return options.greetingTimeoutMs * 2 + options.replyTimeoutMs * repliesMax;
}

function welcome(connection: SMTPConnection): Promise<void> {
  return new Promise((resolve, reject) => {
    connection.connect((error) => (error === undefined ? resolve() : reject(error)));
  });
}

function reportCertificate({ _socket: socket }: SMTPConnection, options: SmtpOptions): void {
  const endsAt = socket instanceof TLSSocket ? readExpiry(socket) : undefined;
  if (endsAt !== undefined) options.onCertificate?.(endsAt);
}

function logIn(connection: SMTPConnection, options: SmtpOptions): Promise<void> {
  const { user, password } = options;
  if (user === undefined || password === undefined) return Promise.resolve();
  if (!connection.allowsAuth) {
    return Promise.reject(Object.assign(new Error("it offers no login"), { code: "EAUTH" }));
  }
  return new Promise((resolve, reject) => {
    connection.login({ user, pass: password }, (error) => (error ? reject(error) : resolve()));
  });
}

/** An error during a handshake is a TLS error, whatever the socket's code. */
function inHandshake(error: unknown): Error {
  const [originalCode] = readFailure(error).codes;
  return Object.assign(new Error(errorMessage(error)), { code: "ETLS", originalCode });
}
