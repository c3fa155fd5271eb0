import { unreachable } from "../../core/errors.ts";
import type { SendOutcome } from "./mailer.ts";
import { classifyReply } from "./reply.ts";

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
      if (isMailboxBusy(outcome)) {
        return `${outcome.host} says that the recipient's mailbox takes nothing now (${outcome.reply}): a mail of serve-email would be tried again`;
      }
      return `${outcome.host} does not take the ${outcome.stage} now (${outcome.reply}): a mail of serve-email would be tried again; greylisting ends by itself`;
    case "throttled":
      return `${outcome.host} says that we are too fast (${outcome.reply}): a mail of serve-email would be sent more slowly; SMTP_RATE keeps below a known limit`;
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

/** By what the table of replies makes of it; RFC 6531 for its own code. */
function mendOf(refused: Extract<SendOutcome, { kind: "refused" }>): string {
  const { enhancedCode = "", reply, stage } = refused;
  if (enhancedCode === "5.6.7") {
    return "take an address in ASCII, or a server that offers SMTPUTF8";
  }
  switch (classifyReply({ ...refused, text: reply }, stage)) {
    case "no_such_recipient":
      return "check the address; it says that nobody has it";
    case "recipient":
      return enhancedCode.startsWith("5.7.")
        ? "a policy forbids this recipient or sender; check that SMTP_FROM's domain is verified there, and SPF and DKIM"
        : "check the address; it does not say that nobody has it";
    default:
      return enhancedCode.startsWith("5.7.")
        ? "a policy forbids this mail; check its content, that SMTP_FROM's domain is verified there, and SPF and DKIM"
        : "its words say what it dislikes in the mail";
  }
}

function isMailboxBusy(outcome: Extract<SendOutcome, { kind: "deferred" }>): boolean {
  return classifyReply({ ...outcome, text: outcome.reply }, outcome.stage) === "recipient_later";
}
