import type { SmtpReply } from "./failure.ts";

/**
 * Temporary replies about this session, not about the message: it carried as many as it may, or was
 * silent for too long. On a fresh connection the same message may well be taken. Sources:
 * RFC 3463, X.4.2 (bad connection, also for an idle one) and X.5.3 (too many recipients);
 * RFC 5321, 4.5.3.1.10 (452, too many recipients); RFC 9422 (limits of a session);
 * Exim, smtp_accept_max_per_connection: "421 too many messages in this connection";
 * Postfix, smtpd_timeout: "421 4.4.2 … Error: timeout exceeded", and smtpd_hard_error_limit:
 * "421 4.7.0 … Error: too many errors"; large providers: "messages per connection", "this session".
 */
const forms: readonly RegExp[] = [
  /\b4\.(?:4\.2|5\.3)\b/,
  /\btoo many (?:recipients|errors)\b/i,
  /\b(?:this|per|same|one|single|a) (?:smtp )?(?:session|connection)\b/i,
  /\b(?:session|connection) (?:limit|has been idle|timed? ?out)\b/i,
];

export function isAboutSession(reply: SmtpReply | undefined): boolean {
  return (
    reply !== undefined &&
    reply.code >= 400 &&
    reply.code < 500 &&
    forms.some((form) => form.test(reply.text))
  );
}

/** What a server announces for one session (RFC 9422); one recipient a mail is always allowed. */
export interface SessionLimits {
  readonly mails: number;
  readonly recipientDomains: number;
}

/** `lines`: of the answer to EHLO, without their codes. A value that is no number is no limit. */
export function readSessionLimits(lines: readonly string[]): SessionLimits {
  const line = lines.find((each) => /^LIMITS(?:\s|$)/i.test(each)) ?? "";
  const limit = (name: string) => {
    const value = Number(new RegExp(`\\s${name}=(\\d{1,9})(?:\\s|$)`, "i").exec(line)?.[1] ?? 0);
    return value > 0 ? value : Number.POSITIVE_INFINITY;
  };
  return { mails: limit("MAILMAX"), recipientDomains: limit("RCPTDOMAINMAX") };
}
