import { maskEmail } from "../../core/log.ts";
import type { SmtpEvidence } from "./delivery-ledger.ts";

const replyCharsMax = 500;
const noteCharsMax = 200;
const address = /[^\s<>"'(),;:]+@[^\s<>"'(),;:]+/g;

/** Text from elsewhere as the ledger keeps it: one line, no full address, at most 500 characters. */
export function boundedText(text: string): string {
  return clean(text, replyCharsMax);
}

/** As `boundedText`, for a history entry: at most 200 characters. */
export function boundedNote(text: string): string {
  return clean(text, noteCharsMax);
}

export function boundedEvidence(smtp: SmtpEvidence): SmtpEvidence {
  const { host, reply, queueId } = smtp;
  return {
    host: boundedNote(host),
    reply: boundedText(reply),
    queueId: queueId === undefined ? undefined : boundedNote(queueId),
  };
}

function clean(text: string, charsMax: number): string {
  return text
    .slice(0, 4 * charsMax)
    .replace(/\p{Cc}+/gu, " ")
    .replace(address, maskEmail)
    .slice(0, charsMax)
    .toWellFormed();
}
