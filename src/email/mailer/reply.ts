import { unreachable } from "../../core/errors.ts";
import type { SendOutcome, SmtpReply } from "./mailer.ts";
import type { ReplyStage, ReplyVerdict } from "./reply-table.ts";
import { replyRows } from "./reply-table.ts";

/*
 * Parses server replies. The meaning of a refusal is a row of `reply-table.ts`; `classifyReply`
 * finds the row, and only decides when there is none.
 */

const rawCharsMax = 2_000;
const replyCharsMax = 500;
const codesForm = /^([2-5]\d\d)(?!\d)(?:[ -]+([245]\.\d{1,3}\.\d{1,3})\b)?/;

/** Undefined when it does not begin with a reply code. */
export function parseReply(raw: string): SmtpReply | undefined {
  const match = codesForm.exec(raw);
  if (match === null) return undefined;
  const [, code, enhancedCode] = match;
  return { code: Number(code), enhancedCode, reply: printReply(raw) };
}

/**
 * The server's reply, sanitized for logs: one line, at most 500 characters, addresses masked. The
 * raw text may contain the recipient and must not be shown anywhere. Each line of a longer reply
 * repeats the codes (RFC 5321, 4.2.1): they are cut, unless one has another.
 */
export function printReply(raw: string): string {
  const first = codesForm.exec(raw)?.[2];
  const line = boundRaw(raw)
    .replace(/^(\d{3})-/, "$1 ")
    .replace(/\n\d{3}[ -]?(?:([245]\.\d{1,3}\.\d{1,3})\b ?)?/g, (_, code: string | undefined) =>
      code === undefined || code === first ? " " : ` ${code} `,
    )
    .replace(/[\s\p{Cc}]+/gu, " ");
  return maskAddresses(line).trim().slice(0, replyCharsMax);
}

/** Cut at a space, so that half an address is not left without the @ that gives it away. */
function boundRaw(raw: string): string {
  return raw.length <= rawCharsMax ? raw : raw.slice(0, rawCharsMax).replace(/\S+$/, "");
}

/** `550 <test@example.com>: unknown` → `550 <t***@example.com>: unknown`. */
export function maskAddresses(text: string): string {
  return text.replace(/([^\s<>()[\],;:"@])[^\s<>()[\],;:"@]*@/g, "$1***@");
}

/** Total: the verdict on a refusal (4xx or 5xx). */
export function classifyReply(answer: SmtpReply, stage: ReplyStage): ReplyVerdict {
  const text = answer.reply.replace(/\S*@\S*/g, " ").slice(0, 2_000);
  const { code, enhancedCode = "" } = answer;
  for (const row of replyRows) {
    if (row.stage !== undefined && row.stage !== stage) continue;
    if (row.code !== undefined && !row.code.test(String(code))) continue;
    if (row.enhanced !== undefined && !row.enhanced.test(enhancedCode)) continue;
    if (row.pattern !== undefined && !row.pattern.test(text)) continue;
    if (row.verdict !== "no_such_recipient") return row.verdict;
    if (isSurelyGone(enhancedCode, text)) return row.verdict;
  }
  return defaultVerdict(answer, stage);
}

/** Phrases that never occur in a reply about a recipient that certainly does not exist. */
const living =
  /\btemporar|\btry (?:again|later)|\blater\b|\bquota\b|\bfull\b|\bsender\b|\brelay|\bspam\b|\bpolicy\b|\bblock|\bblacklist|\breputation\b|\brate\b|\blimit|\bauth|\bdenied\b|\bdmarc\b|\bspf\b|\bdkim\b|\bgr[ae]y|\bcurrently\b|\bbusy\b|\bunverified address\b|\bunavailable\b|\btimed? ?out\b|\blookup error|\bmaintenance\b|\bsuspend|\bactivat|\bplease wait\b|\ballowed\b|\bpermitted\b|\bloops back\b|\brefused\b|\bsending\b|\blog ?in\b|\btoo many\b|\b(?:smtp|api|customer) (?:user|account)\b|\byour (?:account|domain|ip)\b/i;
const goneCodes = /^5\.1\.(?:1|2|3|6|10)$|^5\.2\.1$|^5\.0\.0$/;

/** Codes and text must agree: if they contradict each other, the mailbox may exist. */
function isSurelyGone(enhancedCode: string, text: string): boolean {
  const codes = text.match(/\b[245]\.\d{1,3}\.\d{1,3}\b(?!\.\d)/g) ?? [];
  const agree = [enhancedCode, ...codes].every((code) => code === "" || goneCodes.test(code));
  return agree && !living.test(text);
}

/**
 * The verdict without a row. A 5xx whose enhanced code is 4.x contradicts itself: a retry costs
 * little. An unknown 5.7.1 concerns this one recipient or message, and suppresses nobody: if it
 * counted as the server's fault, one mail against a policy would stop all others; a server that
 * refuses all mails this way is detected by the number of refusals in a row. At MAIL FROM no
 * recipient was named, so the refusal is never about the message.
 */
function defaultVerdict({ code, enhancedCode = "" }: SmtpReply, stage: ReplyStage): ReplyVerdict {
  if (stage === "sender") {
    if (code >= 500 && !enhancedCode.startsWith("4.")) return "mail_from";
    return /^4\.[457]\./.test(enhancedCode) ? "closing" : "system";
  }
  if (code < 500 || enhancedCode.startsWith("4.")) return "later";
  return stage === "recipient" ? "recipient" : "message";
}

/**
 * Temporary replies about this session, not about the message: it carried its maximum of messages,
 * or was idle for too long. On a fresh connection the same message may well be accepted. Sources:
 * RFC 3463, X.4.2 (bad connection, also for an idle one) and X.5.3 (too many recipients);
 * RFC 5321, 4.5.3.1.10 (452, too many recipients); RFC 9422 (limits of a session);
 * Exim, smtp_accept_max_per_connection: "421 too many messages in this connection";
 * Postfix, smtpd_timeout: "421 4.4.2 … Error: timeout exceeded", and smtpd_hard_error_limit:
 * "421 4.7.0 … Error: too many errors"; large providers: "messages per connection", "this session".
 */
const sessionForms: readonly RegExp[] = [
  /\b4\.(?:4\.2|5\.3)\b/,
  /\btoo many (?:recipients|errors)\b/i,
  /\b(?:this|per|same|one|single|a) (?:smtp )?(?:session|connection)\b/i,
  /\b(?:session|connection) (?:limit|has been idle|timed? ?out)\b/i,
];

export function isAboutSession(answer: SmtpReply | undefined): boolean {
  return (
    answer !== undefined &&
    answer.code >= 400 &&
    answer.code < 500 &&
    sessionForms.some((form) => form.test(answer.reply))
  );
}

/** How servers report the id of a queued message; the first match counts. Replies are free text. */
const queueIdForms = [
  /\bqueued as ([\w.-]{4,100})/i, // Postfix, SendGrid
  /\bid=([\w-]{6,100})/, // Exim
  /^250[ -](?:2\.\d\.\d )?([A-Za-z0-9]{8,40}) Message accepted/m, // Sendmail
  /^250[ -]Ok ([0-9a-f-]{20,100})\s*$/im, // Amazon SES
  /\bOK +\d+ ([\w.-]{8,100}) - gsmtp/, // Gmail
] as const;

/**
 * The server's queue id of an accepted message, for questions to its administrator; often
 * undefined.
 */
export function findQueueId(raw: string): string | undefined {
  const text = raw.slice(0, rawCharsMax);
  for (const form of queueIdForms) {
    const id = form.exec(text)?.[1];
    if (id !== undefined) return id;
  }
  return undefined;
}

const unitMs: Readonly<Record<string, number>> = { s: 1_000, m: 60_000, h: 3_600_000 };
const delayPattern =
  /\b(?:again|retry|back)\b[^\d\n]{0,40}\b(?:in|after)\s+(\d{1,5})\s*(s|sec|secs|seconds?|m|min|mins|minutes?|h|hours?)?\b/i;
const clockPattern =
  /\b(?:again|retry|back)\b[^\d\n]{0,40}\b(?:in|after)\s+(\d{1,2}):(\d\d):(\d\d)\b/i;

/**
 * The delay that the text of a 4xx reply asks for ("Greylisted, try again in 300 seconds", "please
 * come back in 00:05:00"); without a unit, seconds. Undefined when it asks for none.
 */
export function findRetryAfterMs(raw: string): number | undefined {
  const text = raw.slice(0, rawCharsMax);
  const clock = clockPattern.exec(text);
  if (clock !== null) {
    return (Number(clock[1]) * 3_600 + Number(clock[2]) * 60 + Number(clock[3])) * 1_000;
  }
  const match = delayPattern.exec(text);
  if (match === null) return undefined;
  const unit = (match[2] ?? "s").slice(0, 1).toLowerCase();
  return Number(match[1]) * (unitMs[unit] ?? 1_000);
}

/** One sentence for a person who sent one mail by hand: the outcome, and the usual fix. */
export function explainOutcome(outcome: SendOutcome): string {
  switch (outcome.kind) {
    case "accepted": {
      const id = outcome.queueId === undefined ? "" : `, queue id ${outcome.queueId}`;
      return `${outcome.host} accepted the mail${id}: look for it in the inbox, and among the spam`;
    }
    case "refused":
      return `${outcome.host} refused the ${outcome.stage} (${outcome.reply}): ${fixOf(outcome)}`;
    case "deferred":
      if (classifyReply(outcome, outcome.stage) === "recipient_later") {
        return `${outcome.host} says that the recipient's mailbox accepts no mail now (${outcome.reply}): serve-email would try again`;
      }
      return `${outcome.host} does not accept the ${outcome.stage} now (${outcome.reply}): serve-email would try again; greylisting ends by itself`;
    case "throttled":
      return `${outcome.host} says that we send too fast (${outcome.reply}): serve-email would slow down; SMTP_RATE keeps below a known limit`;
    case "server_down":
      return outcome.reason;
    case "lost":
      return `${outcome.host} ended the session before it had the whole mail (${outcome.reason}): try again, and ask its administrator if this lasts`;
    case "ambiguous":
      return `${outcome.host} may have accepted the mail or not (${outcome.reason}): look for it in the inbox before trying again`;
    case "withheld":
      return "The mail was not sent: sending was aborted";
    default:
      return unreachable(outcome);
  }
}

/** The fix, by the verdict of `reply-table.ts`; RFC 6531 defines the code for SMTPUTF8. */
function fixOf(refused: Extract<SendOutcome, { kind: "refused" }>): string {
  const { enhancedCode = "", stage } = refused;
  if (enhancedCode === "5.6.7") {
    return "use an address in ASCII, or a server that offers SMTPUTF8";
  }
  switch (classifyReply(refused, stage)) {
    case "no_such_recipient":
      return "check the address; the server says that it does not exist";
    case "recipient":
      return enhancedCode.startsWith("5.7.")
        ? "a policy forbids this recipient or sender; check that SMTP_FROM's domain is verified there, and SPF and DKIM"
        : "check the address; the server does not say that it does not exist";
    default:
      return enhancedCode.startsWith("5.7.")
        ? "a policy forbids this mail; check its content, that SMTP_FROM's domain is verified there, and SPF and DKIM"
        : "its reply says what is wrong with the mail";
  }
}
