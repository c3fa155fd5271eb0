import { maskEmail } from "../core/log.ts";
import type { EmailEvent } from "./event.ts";
import type { EventOrigin } from "./ledger/delivery-ledger.ts";

/** The fields of every log line about a mail. */
export function lineOf(event: EmailEvent) {
  return {
    messageID: event.messageId,
    eventType: event.eventType,
    recipient: maskEmail(event.recipient),
  };
}

/** Where it came from, for its first line. */
export function placeOf(origin: EventOrigin | undefined): object {
  if (origin === undefined) return { direct: true };
  const { partition, offset } = origin;
  return { partition, offset };
}
