import type net from "node:net";
import { TLSSocket } from "node:tls";
import SMTPConnection from "nodemailer/lib/smtp-connection";
import { errorMessage } from "../errors.ts";
import { readExpiry } from "../tls-expiry.ts";
import { readFailure } from "./failure.ts";
import type { SmtpOptions } from "./options.ts";
import { silenceFor } from "./server-down.ts";
import { createTalkLogger, tellConnected } from "./talk.ts";
import { connectTcp } from "./tcp.ts";

const replyBytesMax = 64 * 1024;
/** EHLO, STARTTLS, EHLO again, and up to three lines of a login. */
const repliesMax = 6;

/**
 * Connects, secures and logs in: resolves with a session that is ready for MAIL FROM. Rejects with
 * the error as it came (`classifySetupFailure` reads it), or the signal's reason; then nothing is
 * left open. Each step has its own timeout; one over all of them stops a server that answers byte
 * by byte.
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
    tellConnected(connection, options);
    tellCertificate(connection, options);
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
    socketCloseTimeout: 0, // close means now: what was not written must not be written later
    maxResponseSize: replyBytesMax,
    logger: createTalkLogger(options) ?? false,
    transactionLog: options.onTalk !== undefined,
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

function tellCertificate({ _socket: socket }: SMTPConnection, options: SmtpOptions): void {
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

/** What breaks a handshake is a matter of TLS, whatever code the socket gives it. */
function inHandshake(error: unknown): Error {
  const [originalCode] = readFailure(error).codes;
  return Object.assign(new Error(errorMessage(error)), { code: "ETLS", originalCode });
}
