import type { DeadLetterClass } from "../outcome.ts";
import { deadLetterClasses } from "../outcome.ts";

/** What a class of dead letters means and what a person does about it, in a sentence or two. */
export const classAdvice: Readonly<Record<DeadLetterClass, string>> = {
  malformed:
    "A producer sent what is no event. Mend the producer: put back as it is, it fails again.",
  invalid_data:
    "A producer sent an event whose data does not fit its type. Mend the producer: put back as it is, it fails again.",
  unknown_type:
    "A producer sent a type of mail that this version does not know. Upgrade serve-email, then put it back.",
  id_conflict:
    "A producer used one message_id for two mails. The first was kept to; give the second an id of its own.",
  too_old:
    "The ledger may have forgotten whether it was sent. Put it back only if the recipient may get it twice.",
  rejected:
    "The SMTP server refused the recipient or the mail for good. Ask why it did before putting it back.",
  retries_exhausted:
    "The SMTP server, or the store of preferences, put it off for as long as EMAIL_RETRY_FOR lets it be tried. Put it back when that is mended.",
  smtp_unavailable: "The SMTP server was away for too long. Put it back when the server is well.",
  ambiguous:
    "The connection broke before the server's answer: it may have been sent. Look for its message_id in the SMTP server's log, and put it back only if it is not there.",
};

export function adviceOf(name: string | undefined): string | undefined {
  const known = deadLetterClasses.find((each) => each === name);
  return known && classAdvice[known];
}
