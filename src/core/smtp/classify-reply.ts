import type { SmtpReply } from "./failure.ts";
import type { ReplyStage, ReplyVerdict } from "./reply-table.ts";
import { replyRows } from "./reply-table.ts";

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
