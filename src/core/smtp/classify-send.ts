import type { SmtpFailure, SmtpReply } from "./failure.ts";
import { replyOf, serverCauseOf } from "./failure.ts";
import type { SmtpOptions } from "./options.ts";
import type { SmtpOutcome } from "./outcome.ts";
import { findRetryAfterMs } from "./retry-after.ts";
import { serverDown } from "./server-down.ts";

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
  // Postfix puts its restrictions of EHLO off until RCPT (smtpd_delay_reject), and says so.
  if (/\bhelo command rejected\b/i.test(text)) {
    return serverDown("greeting", options, text, "ehlo");
  }
  const isSenders = failure.command === "MAIL FROM" || blamesSender(reply);
  const cause = serverCauseOf(reply) ?? (isSenders ? "mail_from" : undefined);
  if (cause !== undefined) return serverDown(cause, options, text);
  const stage = failure.command === "RCPT TO" ? "recipient" : "content";
  const answer = { host: options.host, code, enhancedCode, reply: text, stage } as const;
  if (code >= 400 && code < 500) {
    return { kind: "deferred", ...answer, retryAfterMs: findRetryAfterMs(failure.response ?? "") };
  }
  // 503 while the content is not over says that the session is out of step, nothing of the message.
  const refuses = code >= 500 && (code !== 503 || phase === "ended");
  return refuses ? { kind: "refused", ...answer } : withoutAnswer(phase, options, text);
}

/**
 * A reply to RCPT or to the content that is about the sender: every mail would get it. The codes are
 * of RFC 3463 (X.1.7, X.1.8); Postfix puts its restrictions of senders off until RCPT
 * (smtpd_delay_reject) and says X.7.1 with these words.
 */
function blamesSender({ enhancedCode = "", text }: SmtpReply): boolean {
  return /^[45]\.1\.[78]$/.test(enhancedCode) || /\bsender address rejected\b/i.test(text);
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
