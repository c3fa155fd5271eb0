import { unreachable } from "../../core/errors.ts";
import type { SendOutcome } from "./mailer.ts";
import { classifyReply } from "./reply.ts";

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
