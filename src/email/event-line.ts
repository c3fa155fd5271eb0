import { maskEmail } from "../core/log.ts";
import type { EmailEvent } from "./event.ts";

/** The fields of every log line about a mail. */
export function lineOf(event: EmailEvent) {
  return {
    messageID: event.messageId,
    eventType: event.eventType,
    recipient: maskEmail(event.recipient),
  };
}
