import { formatGoDuration } from "../../../core/time.ts";
import type {
  RefusedMail,
  SendOutcome,
  ServerDown,
  ServerDownCause,
  SmtpReply,
} from "../mailer.ts";
import { classifyReply, findRetryAfterMs, maskAddresses, parseReply } from "../reply.ts";
import type { ReplyStage } from "../reply-table.ts";
import type { SmtpOptions, SmtpTlsMode } from "./config.ts";

/*
 * The only place where failures of nodemailer, a socket or a server become outcomes: before a
 * session is ready (`classifySetupFailure`), and of a message (`classifySendFailure`).
 * `reply-table.ts` decides what a reply means; this file derives the outcome and its text.
 */

/** The fields of a nodemailer or socket error that decide; its message never does. */
export interface SmtpFailure {
  /** nodemailer's ("ETIMEDOUT", "EAUTH") and, where it replaced one, the socket's own. */
  readonly codes: readonly string[];
  /**
   * The command that was answered: "EHLO", "AUTH PLAIN", "MAIL FROM", "RCPT TO", "DATA"; "CONN":
   * none.
   */
  readonly command: string;
  /** The raw reply; only to be shown after `parseReply`. */
  readonly response: string | undefined;
  /** For a person, addresses masked. */
  readonly description: string;
}

export function readFailure(error: unknown): SmtpFailure {
  const text = (name: string): string | undefined => {
    const value: unknown = error instanceof Error ? Reflect.get(error, name) : undefined;
    return typeof value === "string" ? value : undefined;
  };
  const codes = [text("originalCode"), text("code")].filter((code) => code !== undefined);
  const message = error instanceof Error ? error.message : String(error);
  const code = codes[0] ?? "";
  return {
    codes,
    command: text("command") ?? "CONN",
    response: text("response"),
    description: maskAddresses(message.includes(code) ? message : `${message}, ${code}`),
  };
}

/** The reply in a failure, to any command; undefined when it has no code. */
export function replyOf({ response }: SmtpFailure): SmtpReply | undefined {
  return response === undefined ? undefined : parseReply(response);
}

/**
 * The progress of a message. envelope: MAIL, RCPT, DATA. content: its bytes are being sent, without
 * the final dot. ended: the dot was written and may have arrived.
 */
export type SendPhase = "envelope" | "content" | "ended";

/** Total: every failure of a message on a session that was ready for it. */
export function classifySendFailure(
  failure: SmtpFailure,
  phase: SendPhase,
  options: SmtpOptions,
): SendOutcome {
  const reply = answerOf(failure);
  if (reply === undefined) return withoutAnswer(phase, options, failure.description);
  const { code, reply: text } = reply;
  // Postfix defers its EHLO restrictions until RCPT (smtpd_delay_reject), and names EHLO in the
  // reply.
  if (/\bhelo command rejected\b|\b(?:invalid|bad) (?:helo|ehlo)\b/i.test(text)) {
    return serverDown("greeting", options, text, "ehlo");
  }
  if (code < 400) return withoutAnswer(phase, options, text);
  const at = stageOf(failure);
  const verdict = classifyReply(reply, at);
  // 503 before the end of the content means that the session is out of step, and nothing about the
  // message.
  if (code === 503 && phase !== "ended" && verdict !== "login") {
    return withoutAnswer(phase, options, text);
  }
  const stage = at === "content" ? "content" : "recipient";
  const answer = { host: options.host, ...reply };
  const retryAfterMs = code < 500 ? findRetryAfterMs(failure.response ?? "") : undefined;
  const deferred = { kind: "deferred", ...answer, stage, retryAfterMs } as const;
  const aboutMail = code < 500 ? deferred : ({ kind: "refused", ...answer, stage } as const);
  switch (verdict) {
    case "rate":
      return { kind: "throttled", ...answer, retryAfterMs };
    case "later":
    case "recipient_later":
      return deferred;
    case "no_such_recipient":
    case "recipient":
    case "message":
      return aboutMail;
    case "quota":
    case "closing":
    case "system":
      return serverDown(verdict, options, text);
    default: {
      const down = serverDown(verdict, options, text);
      return at === "sender" ? down : { ...down, answer: aboutMail };
    }
  }
}

/**
 * The reply to the command that failed. A truncated one, or one without a command (nodemailer gives
 * both the command "CONN"), does not count, except 421, which needs no command.
 */
function answerOf(failure: SmtpFailure): SmtpReply | undefined {
  const reply = replyOf(failure);
  return failure.command === "CONN" && reply?.code !== 421 ? undefined : reply;
}

function stageOf({ command }: SmtpFailure): ReplyStage {
  if (command === "MAIL FROM") return "sender";
  return command === "RCPT TO" ? "recipient" : "content";
}

/** The end of a message that got no definite answer. */
export function withoutAnswer(phase: SendPhase, options: SmtpOptions, reason: string): SendOutcome {
  const { host } = options;
  return phase === "ended"
    ? {
        kind: "ambiguous",
        host,
        reason: `the content was sent, but its reply was not read: ${reason}`,
      }
    : { kind: "lost", host, reason: `the session broke before the message ended: ${reason}` };
}

/**
 * Whether a kept-open connection was ended or exhausted, rather than its message refused: a 4xx to
 * the first command. A fresh connection shows whether it applies to all. Not when the reply says
 * that we send too fast: an immediate retry would make it worse.
 */
export function isConnectionRefused(failure: SmtpFailure): boolean {
  const reply = replyOf(failure);
  if (failure.command !== "MAIL FROM" || reply === undefined) return false;
  return (
    reply.code < 500 && classifyReply({ ...reply, enhancedCode: undefined }, "sender") !== "rate"
  );
}

/** Refused in step: not at MAIL FROM, where replies to what was sent with it may still come. */
export function isOpenAfter(outcome: SendOutcome, { command }: SmtpFailure): boolean {
  if (command === "MAIL FROM") return false;
  return outcome.kind === "refused" || outcome.kind === "deferred" || outcome.kind === "throttled";
}

interface SentMail {
  readonly outcome: SendOutcome;
  /**
   * False: the connection was dead, or the server refused us with 4xx, before MAIL FROM was
   * accepted.
   */
  readonly begun: boolean;
  /** It ended with a temporary reply about the session, not about the message. */
  readonly sessionExhausted: boolean;
}

/**
 * Whether to retry on a fresh connection, without counting the attempt: a kept-open one was dead or
 * refused us (the fresh one shows whether that applies to all), or a temporary reply was about the
 * session. In each case nothing was accepted.
 */
export function mayRepeat(
  { outcome, begun, sessionExhausted }: SentMail,
  isReused: boolean,
): boolean {
  switch (outcome.kind) {
    case "lost":
      return isReused && !begun;
    case "server_down":
      return isReused || sessionExhausted;
    case "deferred":
    case "throttled":
      return (isReused && !begun) || sessionExhausted;
    default:
      return false;
  }
}

/**
 * Uses the codes of a server (RFC 6531, 3.4 and 4.2), though nothing was sent: the server lacks a
 * feature. That says nothing about the mailbox, so it does not suppress.
 */
export function refuseUtf8(host: string): RefusedMail {
  const reply =
    "553 5.6.7 not sent: the server does not offer SMTPUTF8, which non-ASCII characters before the @ require";
  return { kind: "refused", host, code: 553, enhancedCode: "5.6.7", reply, stage: "recipient" };
}

/** Total: every failure before a session is ready for mail is the server's (or our settings'). */
export function classifySetupFailure(error: unknown, options: SmtpOptions): ServerDown {
  const failure = readFailure(error);
  const { codes, description } = failure;
  const reply = replyOf(failure);
  return reply === undefined
    ? serverDown(causeOfSilence(codes), options, description, faultOf(codes))
    : serverDown(causeOfReply(reply, failure), options, reply.reply, faultOfReply(reply, failure));
}

/** Codes of OpenSSL, BoringSSL and Node for a rejected certificate. */
const certificateCode =
  /^(?:CERT_|UNABLE_TO_|DEPTH_ZERO_|SELF_SIGNED_|ERR_TLS_CERT_|HOSTNAME_MISMATCH|INVALID_|UNTRUSTED)/;
const nameCode = /^(?:ENOTFOUND|EAI_|EDNS)/;
const tlsCode = /^(?:ETLS|EPROTO$|ERR_SSL_|ERR_TLS_|SSL_)/;

function causeOfSilence(codes: readonly string[]): DownCause {
  const has = (pattern: RegExp) => codes.some((code) => pattern.test(code));
  if (has(certificateCode)) return "certificate";
  if (has(nameCode)) return "name_not_found";
  if (has(/^EAUTH$/)) return "login";
  if (has(/^ETIMEDOUT$/)) return "timeout";
  return has(tlsCode) ? "tls" : "connect";
}

function faultOf(codes: readonly string[]): SetupFault | undefined {
  if (codes.includes("CERT_HAS_EXPIRED")) return "expired";
  if (codes.includes("CERT_NOT_YET_VALID")) return "not_yet_valid";
  const names = ["ERR_TLS_CERT_ALTNAME_INVALID", "HOSTNAME_MISMATCH"];
  return names.some((name) => codes.includes(name)) ? "other_name" : undefined;
}

/** RFC 4954: about the login, before a session is ready. */
const loginCodes: ReadonlySet<number> = new Set([530, 534, 535, 538]);

/** 421, 4.3.x and the codes of logins are about the server or us, whatever command they answer. */
function causeOfReply(reply: SmtpReply, { command }: SmtpFailure): DownCause {
  // A login that is refused for the number or rate of connections is not a wrong password.
  const verdict = classifyReply({ ...reply, enhancedCode: undefined }, "sender");
  if (verdict === "rate") return "closing";
  if (verdict === "tls") return "tls";
  if (reply.code === 421) return "closing";
  if (reply.code < 500 && reply.enhancedCode?.startsWith("4.3.") === true) return "system";
  if (loginCodes.has(reply.code) || command.startsWith("AUTH")) return "login";
  return command === "STARTTLS" ? "tls" : "greeting";
}

/**
 * A server that does not know the command answers 5xx; 454: temporarily unavailable (RFC 3207, 4).
 */
function faultOfReply(reply: SmtpReply, { command }: SmtpFailure): SetupFault | undefined {
  if (command === "EHLO" || command === "HELO") return "ehlo";
  return command === "STARTTLS" && reply.code >= 500 ? "no_starttls" : undefined;
}

/** Only several replies together show that a server refuses everybody (see `MailServer`). */
type DownCause = Exclude<ServerDownCause, "refusing">;

/** What is known about a failure besides its cause. "ehlo": it answered EHLO or HELO. */
type SetupFault = "no_starttls" | "expired" | "not_yet_valid" | "other_name" | "ehlo";

const detailCharsMax = 500;

export function serverDown(
  cause: DownCause,
  options: SmtpOptions,
  detail: string,
  fault?: SetupFault,
): ServerDown {
  const server = `${options.host}:${options.port}`;
  const reason = sentences[cause](server, detail.slice(0, detailCharsMax), options, fault);
  return { kind: "server_down", cause, host: options.host, reason };
}

type Sentence = (
  server: string,
  detail: string,
  options: SmtpOptions,
  fault: SetupFault | undefined,
) => string;

/** One sentence per cause: what failed (`detail`) and the usual fix. */
const sentences: Readonly<Record<DownCause, Sentence>> = {
  name_not_found: (server, detail) =>
    `The name of ${server} cannot be resolved (${detail}): check SMTP_HOST and this machine's DNS`,
  connect: (server, detail) =>
    `Cannot connect to ${server} (${detail}): check SMTP_HOST, SMTP_PORT and the firewall`,
  timeout: (server, detail, options) =>
    `${server} did not answer in time (${detail}): check SMTP_PORT and the firewall${
      options.tls === "implicit" ? "" : "; port 465 needs SMTP_TLS=implicit"
    }`,
  tls: (server, detail, options, fault) =>
    fault === "no_starttls"
      ? `${server} does not offer STARTTLS (${detail}): check SMTP_PORT; ${tlsFixes.starttls}`
      : `TLS with ${server} failed (${detail}): ${tlsFixes[options.tls]}`,
  certificate: (server, detail, _options, fault) =>
    `The certificate of ${server} is not trusted (${detail}): ${certificateFix(fault)}`,
  login: (server, detail, options) =>
    options.user === undefined
      ? `${server} requires a login (${detail}): set SMTP_USER and SMTP_PASSWORD`
      : `${server} refused the login (${detail}): check SMTP_USER and SMTP_PASSWORD`,
  greeting: (server, detail, options, fault) =>
    fault === "ehlo"
      ? `${server} refused EHLO ${options.ehloName ?? ""} (${detail}): set SMTP_EHLO_NAME to a name of this machine that DNS knows`
      : `${server} refused the session (${detail}): check that it is a mail server that this machine may use`,
  mail_from: (server, detail) =>
    `${server} refused the sender (${detail}): check SMTP_FROM and SMTP_ENVELOPE_FROM, and whether this login may send as them`,
  quota: (server, detail) =>
    `The sending quota of this account at ${server} is used up (${detail}): wait until it is renewed, or have it raised`,
  account: (server, detail, { user }) =>
    `${server} blocks sending from this account (${detail}): ${
      user === undefined ? "ask its administrator" : "verify or unblock the account at the provider"
    }`,
  relay: (server, detail, { user }) =>
    `${server} does not relay for us (${detail}): ${
      user === undefined ? "set" : "check"
    } SMTP_USER and SMTP_PASSWORD, or let this machine's address relay there`,
  blocked: (server, detail) =>
    `${server} accepts no mail from this machine's address or name (${detail}): have it removed from the blocklist that the reply names, or send through another server`,
  throttled: (server, detail) =>
    `${server} limits how fast we send and has accepted nothing for a while (${detail}): set SMTP_RATE below its limit, or have that limit raised`,
  closing: (server, detail, options, fault) =>
    fault === "ehlo"
      ? `${server} closed the session at EHLO ${options.ehloName ?? ""} (${detail}): set SMTP_EHLO_NAME to a name of this machine that DNS knows, if this lasts`
      : `${server} accepts no mail on this connection (${detail}): it is stopping, ended an idle connection, or limits us`,
  system: (server, detail) =>
    `${server} has an internal problem (${detail}): ask its administrator if it lasts`,
};

const tlsFixes: Readonly<Record<SmtpTlsMode, string>> = {
  starttls:
    "SMTP_TLS=implicit is for port 465; SMTP_TLS=none only for a server in a trusted network",
  implicit: "port 587 and 25 need SMTP_TLS=starttls",
  none: "if it asks for STARTTLS, set SMTP_TLS=starttls",
};

function certificateFix(fault: SetupFault | undefined): string {
  if (fault === "expired") return "it has expired; the server's operator must renew it";
  if (fault === "not_yet_valid") return "it is not valid yet; check this machine's clock";
  return fault === "other_name"
    ? "SMTP_HOST must be a name in the certificate"
    : "its issuer is unknown here; put a private authority into SMTP_CA_FILE";
}

/** "no reply within 30s" */
export function silenceFor(what: string, durationMs: number): string {
  return `no ${what} within ${formatGoDuration(durationMs)}`;
}
