import { unreachable } from "../../core/errors.ts";
import type { SendOutcome, SmtpReply } from "./mailer.ts";

/** One sentence for a person who sent one mail by hand: what became of it, and the usual mend. */
export function explainOutcome(outcome: SendOutcome): string {
  switch (outcome.kind) {
    case "accepted": {
      const id = outcome.queueId === undefined ? "" : `, queue id ${outcome.queueId}`;
      return `${outcome.host} accepted the mail${id}: look for it in the inbox, and among the spam`;
    }
    case "refused":
      return `${outcome.host} refused the ${outcome.stage} (${outcome.reply}): ${mendOf(outcome)}`;
    case "deferred":
      return `${outcome.host} does not take the ${outcome.stage} now (${outcome.reply}): a mail of serve-email would be tried again; greylisting ends by itself`;
    case "server_down":
      return outcome.reason;
    case "lost":
      return `${outcome.host} ended the session before it had the whole mail (${outcome.reason}): try again, and ask its administrator if it lasts`;
    case "ambiguous":
      return `${outcome.host} may have accepted the mail or not (${outcome.reason}): look for it in the inbox before trying again`;
    case "withheld":
      return "The mail was not sent: it was given up";
    default:
      return unreachable(outcome);
  }
}

/** By the enhanced code (RFC 3463, RFC 6531), which says more than the words of one server. */
function mendOf({ enhancedCode = "", reply, ...refused }: SmtpReply & { stage: string }): string {
  if (enhancedCode === "5.6.7") {
    return "take an address in ASCII, or a server that offers SMTPUTF8";
  }
  if (/\brelay/i.test(reply)) {
    return "it does not send to other domains for us; check SMTP_USER and SMTP_PASSWORD, or that this machine may send by it";
  }
  if (/\bsender\b/i.test(reply)) {
    return "check SMTP_FROM and SMTP_ENVELOPE_FROM, and whether this login may send as them";
  }
  if (enhancedCode.startsWith("5.7.")) {
    return "its policy forbids it; check that SMTP_FROM's domain is verified there, and SPF and DKIM";
  }
  if (refused.stage === "recipient") return "check the address; it says that nobody has it";
  return "its words say what it dislikes in the mail";
}
