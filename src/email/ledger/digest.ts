import { hmac } from "../../core/secret.ts";
import type { EmailEvent } from "../event.ts";

/**
 * What makes two events with one `message_id` the same mail: type, recipient and data, whatever the
 * order of the fields. Keyed, so that a code cannot be guessed from the ledger. 43 characters.
 */
export function eventDigest(
  secret: string,
  event: Pick<EmailEvent, "eventType" | "recipient" | "data">,
): string {
  const data = JSON.stringify(event.data, sortedKeys);
  return hmac(secret, "event digest", event.eventType, event.recipient, data).toString("base64url");
}

function sortedKeys(_key: string, value: unknown): unknown {
  if (typeof value !== "object" || value === null || Array.isArray(value)) return value;
  return Object.fromEntries(Object.entries(value).sort(([a], [b]) => (a < b ? -1 : 1)));
}
