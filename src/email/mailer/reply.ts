import type { ReplyStage, ReplyVerdict } from "./reply-table.ts";
import { replyRows } from "./reply-table.ts";
import type { SmtpServerDownCause } from "./smtp/outcome.ts";

/**
 * A server's reply, read for its codes and made fit for logs: one line, at most 500 characters,
 * addresses masked. Replies may echo the recipient, so nothing else may show the raw text.
 */
interface SmtpReplyText {
  /** 250, 451, 550, …; undefined when the text does not begin with one. */
  readonly code: number | undefined;
  /** RFC 3463: "5.1.1". */
  readonly enhancedCode: string | undefined;
  readonly text: string;
}

const rawCharsMax = 2_000;
const textCharsMax = 500;

export function parseReply(raw: string): SmtpReplyText {
  const match = /^([2-5]\d\d)(?!\d)(?:[ -]+([245]\.\d{1,3}\.\d{1,3})\b)?/.exec(raw);
  return {
    code: match?.[1] === undefined ? undefined : Number(match[1]),
    enhancedCode: match?.[2],
    text: printReply(raw, match?.[2]),
  };
}

/** The lines of a longer reply are joined; each repeats the codes (RFC 5321, 4.2.1): cut, unless it has another. */
function printReply(raw: string, first: string | undefined): string {
  const line = boundRaw(raw)
    .replace(/^(\d{3})-/, "$1 ")
    .replace(/\n\d{3}[ -]?(?:([245]\.\d{1,3}\.\d{1,3})\b ?)?/g, (_, code: string | undefined) =>
      code === undefined || code === first ? " " : ` ${code} `,
    )
    .replace(/[\s\p{Cc}]+/gu, " ");
  return maskAddresses(line).trim().slice(0, textCharsMax);
}

/** Cut at a space, so that half an address is not left without the @ that gives it away. */
function boundRaw(raw: string): string {
  return raw.length <= rawCharsMax ? raw : raw.slice(0, rawCharsMax).replace(/\S+$/, "");
}

/** `550 <test@example.com>: unknown` → `550 <t***@example.com>: unknown`. */
export function maskAddresses(text: string): string {
  return text.replace(/([^\s<>()[\],;:"@])[^\s<>()[\],;:"@]*@/g, "$1***@");
}

/** The fields of a nodemailer or socket error that decide; nothing is decided on its words. */
export interface SmtpFailure {
  /** nodemailer's ("ETIMEDOUT", "EAUTH") and, where it replaced one, the socket's own. */
  readonly codes: readonly string[];
  /** What was being answered: "EHLO", "AUTH PLAIN", "MAIL FROM", "RCPT TO", "DATA"; "CONN": nothing. */
  readonly command: string;
  /** As the server wrote it; only `parseReply` makes it fit to show. */
  readonly response: string | undefined;
  /** For a person, addresses masked. */
  readonly description: string;
}

export type SmtpReply = SmtpReplyText & { readonly code: number };

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

/** The reply in a failure, whatever it answers; undefined when it has no code. */
export function replyOf(failure: SmtpFailure): SmtpReply | undefined {
  if (failure.response === undefined) return undefined;
  const reply = parseReply(failure.response);
  return reply.code === undefined ? undefined : { ...reply, code: reply.code };
}

/** RFC 4954: about the login, before a session is ready. */
const loginCodes: ReadonlySet<number> = new Set([530, 534, 535, 538]);

/** 421, 4.3.x and the codes of logins are about the server or us, whatever command they answer. */
export function serverCauseOf(reply: SmtpReply): SmtpServerDownCause | undefined {
  if (reply.code === 421) return "closing";
  if (reply.code < 500 && reply.enhancedCode?.startsWith("4.3.") === true) return "system";
  return loginCodes.has(reply.code) ? "login" : undefined;
}

/** Nothing that the words of a recipient that surely does not exist may also say. */
const living =
  /\btemporar|\btry (?:again|later)|\blater\b|\bquota\b|\bfull\b|\bsender\b|\brelay|\bspam\b|\bpolicy\b|\bblock|\bblacklist|\breputation\b|\brate\b|\blimit|\bauth|\bdenied\b|\bdmarc\b|\bspf\b|\bdkim\b|\bgr[ae]y|\bcurrently\b|\bbusy\b|\bunverified address\b|\bunavailable\b|\btimed? ?out\b|\blookup error|\bmaintenance\b|\bsuspend|\bactivat|\bplease wait\b|\ballowed\b|\bpermitted\b|\bloops back\b|\brefused\b|\bsending\b|\blog ?in\b|\btoo many\b|\b(?:smtp|api|customer) (?:user|account)\b|\byour (?:account|domain|ip)\b/i;
const goneCodes = /^5\.1\.(?:1|2|3|6|10)$|^5\.2\.1$|^5\.0\.0$/;

/** Total: what a refusal (4xx or 5xx) is about. */
export function classifyReply(reply: SmtpReply, stage: ReplyStage): ReplyVerdict {
  const words = reply.text.replace(/\S*@\S*/g, " ").slice(0, 2_000);
  const { code, enhancedCode = "" } = reply;
  for (const row of replyRows) {
    if (row.stage !== undefined && row.stage !== stage) continue;
    if (row.code !== undefined && !row.code.test(String(code))) continue;
    if (row.enhanced !== undefined && !row.enhanced.test(enhancedCode)) continue;
    if (row.words !== undefined && !row.words.test(words)) continue;
    if (row.verdict !== "no_such_recipient") return row.verdict;
    if (isSurelyGone(enhancedCode, words)) return row.verdict;
  }
  return defaultVerdict(reply, stage);
}

/** Codes and words must agree: one that contradicts leaves a living mailbox alone. */
function isSurelyGone(enhancedCode: string, words: string): boolean {
  const codes = words.match(/\b[245]\.\d{1,3}\.\d{1,3}\b(?!\.\d)/g) ?? [];
  const agree = [enhancedCode, ...codes].every((code) => code === "" || goneCodes.test(code));
  return agree && !living.test(words);
}

/**
 * What no row knows. A 5xx whose enhanced code is 4.x contradicts itself: trying again costs little.
 * An unknown 5.7.1 is of this one recipient or message, not suppressed: were it the server's fault,
 * one mail that a policy dislikes would stop all others; a server that says it to everybody is
 * noticed by how many it refuses in a row. At MAIL FROM no recipient was named: never the message.
 */
function defaultVerdict({ code, enhancedCode = "" }: SmtpReply, stage: ReplyStage): ReplyVerdict {
  if (stage === "sender") {
    if (code >= 500 && !enhancedCode.startsWith("4.")) return "mail_from";
    return /^4\.[457]\./.test(enhancedCode) ? "closing" : "system";
  }
  if (code < 500 || enhancedCode.startsWith("4.")) return "later";
  return stage === "recipient" ? "recipient" : "message";
}

/** How servers name the message they queued; the first that fits. Replies are free text. */
const queueIdForms = [
  /\bqueued as ([\w.-]{4,100})/i, // Postfix, SendGrid
  /\bid=([\w-]{6,100})/, // Exim
  /^250[ -](?:2\.\d\.\d )?([A-Za-z0-9]{8,40}) Message accepted/m, // Sendmail
  /^250[ -]Ok ([0-9a-f-]{20,100})\s*$/im, // Amazon SES
  /\bOK +\d+ ([\w.-]{8,100}) - gsmtp/, // Gmail
] as const;

/** The server's queue id of an accepted message, for asking its administrator; often undefined. */
export function findQueueId(reply: string): string | undefined {
  const text = reply.slice(0, 2_000);
  for (const form of queueIdForms) {
    const id = form.exec(text)?.[1];
    if (id !== undefined) return id;
  }
  return undefined;
}

const unitMs: Readonly<Record<string, number>> = { s: 1_000, m: 60_000, h: 3_600_000 };
const inWords =
  /\b(?:again|retry|back)\b[^\d\n]{0,40}\b(?:in|after)\s+(\d{1,5})\s*(s|sec|secs|seconds?|m|min|mins|minutes?|h|hours?)?\b/i;
const asClock = /\b(?:again|retry|back)\b[^\d\n]{0,40}\b(?:in|after)\s+(\d{1,2}):(\d\d):(\d\d)\b/i;

/**
 * The delay a server asks for in the words of a 4xx reply ("Greylisted, try again in 300 seconds",
 * "please come back in 00:05:00"); without a unit, seconds. Undefined when it names none.
 */
export function findRetryAfterMs(reply: string): number | undefined {
  const text = reply.slice(0, 2_000);
  const clock = asClock.exec(text);
  if (clock !== null) {
    return (Number(clock[1]) * 3_600 + Number(clock[2]) * 60 + Number(clock[3])) * 1_000;
  }
  const words = inWords.exec(text);
  if (words === null) return undefined;
  const unit = (words[2] ?? "s").slice(0, 1).toLowerCase();
  return Number(words[1]) * (unitMs[unit] ?? 1_000);
}

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
