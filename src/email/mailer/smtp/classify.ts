import type { SmtpFailure, SmtpReply } from "../reply.ts";
import { classifyReply, findRetryAfterMs, readFailure, replyOf, serverCauseOf } from "../reply.ts";
import type { ReplyStage } from "../reply-table.ts";
import type { SmtpOptions } from "./config.ts";
import type { SetupFault, SmtpOutcome, SmtpServerDown, SmtpServerDownCause } from "./outcome.ts";
import { serverDown } from "./outcome.ts";

/**
 * How far a message came. envelope: MAIL, RCPT, DATA. content: its bytes go out, the final dot is
 * held back. ended: the dot was let go and may be on the wire.
 */
export type SendPhase = "envelope" | "content" | "ended";

/** Total: every failure of a message on a session that was ready for it. */
export function classifySendFailure(
  failure: SmtpFailure,
  phase: SendPhase,
  options: SmtpOptions,
): SmtpOutcome {
  const reply = answerOf(failure);
  if (reply === undefined) return withoutAnswer(phase, options, failure.description);
  const { code, enhancedCode, text } = reply;
  const { host } = options;
  // Postfix puts its restrictions of EHLO off until RCPT (smtpd_delay_reject), and says so.
  if (/\bhelo command rejected\b|\b(?:invalid|bad) (?:helo|ehlo)\b/i.test(text)) {
    return serverDown("greeting", options, text, "ehlo");
  }
  if (code < 400) return withoutAnswer(phase, options, text);
  const at = stageOf(failure);
  const verdict = classifyReply(reply, at);
  // 503 while the content is not over says that the session is out of step, nothing of the message.
  if (code === 503 && phase !== "ended" && verdict !== "login") {
    return withoutAnswer(phase, options, text);
  }
  const stage = at === "content" ? "content" : "recipient";
  const answer = { host, code, enhancedCode, reply: text } as const;
  const retryAfterMs = code < 500 ? findRetryAfterMs(failure.response ?? "") : undefined;
  const aboutMail = () =>
    code < 500
      ? ({ kind: "deferred", ...answer, stage, retryAfterMs } as const)
      : ({ kind: "refused", ...answer, stage } as const);
  switch (verdict) {
    case "rate":
      return { kind: "throttled", ...answer, retryAfterMs };
    case "later":
    case "recipient_later":
      return { kind: "deferred", ...answer, stage, retryAfterMs };
    case "no_such_recipient":
    case "recipient":
    case "message":
      return aboutMail();
    case "quota":
    case "closing":
    case "system":
      return serverDown(verdict, options, text);
    default: {
      const down = serverDown(verdict, options, text);
      return at === "sender" ? down : { ...down, answer: aboutMail() };
    }
  }
}

/**
 * Whether a kept-open connection was ended or used up rather than its message refused: a 4xx to the
 * first command. A fresh connection tells whether it is meant for everybody. Not when the words say
 * that we are too fast: asking again at once would make it worse.
 */
export function isTurnedAway(failure: SmtpFailure): boolean {
  const reply = replyOf(failure);
  if (failure.command !== "MAIL FROM" || reply === undefined) return false;
  return (
    reply.code < 500 && classifyReply({ ...reply, enhancedCode: undefined }, "sender") !== "rate"
  );
}

function stageOf({ command }: SmtpFailure): ReplyStage {
  if (command === "MAIL FROM") return "sender";
  return command === "RCPT TO" ? "recipient" : "content";
}

/** The end of a message that got no definite answer. */
export function withoutAnswer(phase: SendPhase, options: SmtpOptions, reason: string): SmtpOutcome {
  const { host } = options;
  return phase === "ended"
    ? { kind: "ambiguous", host, reason: `the message ended, its answer was not read: ${reason}` }
    : { kind: "lost", host, reason: `the session broke before the message ended: ${reason}` };
}

/**
 * The reply to the command that failed. One that was cut in the middle, or that answers nothing
 * (nodemailer gives both the command "CONN"), does not count; 421 does, it needs no command.
 */
function answerOf(failure: SmtpFailure): SmtpReply | undefined {
  const reply = replyOf(failure);
  return failure.command === "CONN" && reply?.code !== 421 ? undefined : reply;
}

/** Codes of OpenSSL, BoringSSL and Node for a certificate that was not accepted. */
const certificateCode =
  /^(?:CERT_|UNABLE_TO_|DEPTH_ZERO_|SELF_SIGNED_|ERR_TLS_CERT_|HOSTNAME_MISMATCH|INVALID_|UNTRUSTED)/;
const nameCode = /^(?:ENOTFOUND|EAI_|EDNS)/;
const tlsCode = /^(?:ETLS|EPROTO$|ERR_SSL_|ERR_TLS_|SSL_)/;

/** Total: every failure before a session is ready for mail is the server's (or our settings'). */
export function classifySetupFailure(error: unknown, options: SmtpOptions): SmtpServerDown {
  const failure = readFailure(error);
  const reply = replyOf(failure);
  return reply === undefined
    ? serverDown(
        causeOfSilence(failure.codes),
        options,
        failure.description,
        faultOf(failure.codes),
      )
    : serverDown(causeOfReply(reply, failure), options, reply.text, faultOfReply(reply, failure));
}

function faultOf(codes: readonly string[]): SetupFault | undefined {
  if (codes.includes("CERT_HAS_EXPIRED")) return "expired";
  if (codes.includes("CERT_NOT_YET_VALID")) return "not_yet_valid";
  const names = ["ERR_TLS_CERT_ALTNAME_INVALID", "HOSTNAME_MISMATCH"];
  return names.some((name) => codes.includes(name)) ? "other_name" : undefined;
}

/** A server that does not know the command answers 5xx; 454: it cannot now (RFC 3207, 4). */
function faultOfReply(reply: SmtpReply, { command }: SmtpFailure): SetupFault | undefined {
  if (command === "EHLO" || command === "HELO") return "ehlo";
  return command === "STARTTLS" && reply.code >= 500 ? "no_starttls" : undefined;
}

function causeOfReply(reply: SmtpReply, failure: SmtpFailure): SmtpServerDownCause {
  // A login that is refused for how many or how often we connect is not a wrong password.
  const said = classifyReply({ ...reply, enhancedCode: undefined }, "sender");
  if (said === "rate") return "closing";
  if (said === "tls") return "tls";
  const shared = serverCauseOf(reply);
  if (shared !== undefined) return shared;
  if (failure.command.startsWith("AUTH")) return "login";
  return failure.command === "STARTTLS" ? "tls" : "greeting";
}

function causeOfSilence(codes: readonly string[]): SmtpServerDownCause {
  const has = (pattern: RegExp) => codes.some((code) => pattern.test(code));
  if (has(certificateCode)) return "certificate";
  if (has(nameCode)) return "name_not_found";
  if (has(/^EAUTH$/)) return "login";
  if (has(/^ETIMEDOUT$/)) return "timeout";
  return has(tlsCode) ? "tls" : "connect";
}
