import { classifyReply } from "./classify-reply.ts";
import type { SmtpFailure, SmtpReply } from "./failure.ts";
import { replyOf } from "./failure.ts";
import type { SmtpOptions } from "./options.ts";
import type { SmtpOutcome } from "./outcome.ts";
import type { ReplyStage } from "./reply-table.ts";
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
