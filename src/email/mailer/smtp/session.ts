// Opening a session: the connection, TLS and the login.
import net from "node:net";
import { TLSSocket } from "node:tls";
import SMTPConnection from "nodemailer/lib/smtp-connection";
import { readExpiry } from "../../../core/diagnosis.ts";
import { errorMessage } from "../../../core/errors.ts";
import { readFailure, silenceFor } from "./classify.ts";
import type { SmtpOptions } from "./config.ts";
import { createTranscriptLogger, recordConnection } from "./transcript.ts";

/** A reply that is longer ends the session. */
export const replyBytesMax = 64 * 1024;
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
