import { hmacText } from "../../core/secret.ts";
import type { EmailEvent } from "../event.ts";

const keyIdChars = 6;

/**
 * What makes two events with one `message_id` the same mail: type, recipient and data, whatever the
 * order of the fields. Keyed, so that a code cannot be guessed from the ledger: `<key id>.<HMAC>`,
 * 50 characters.
 */
export function eventDigest(
  secret: string,
  event: Pick<EmailEvent, "eventType" | "recipient" | "data">,
): string {
  const data = JSON.stringify(event.data, sortedKeys);
  const { eventType, recipient } = event;
  const mac = hmacText(secret, "base64url", "event digest", eventType, recipient, data);
  return `${keyIdOf(secret)}.${mac}`;
}

/**
 * Whether two digests are of different mails. Those of different keys cannot be compared and do not
 * conflict: a mail on its way while EMAIL_SECRET changes is no error.
 */
export function digestsConflict(a: string, b: string): boolean {
  return a !== b && a.slice(0, keyIdChars) === b.slice(0, keyIdChars);
}

const keyIds = new Map<string, string>();

function keyIdOf(secret: string): string {
  let id = keyIds.get(secret);
  if (id === undefined) {
    id = hmacText(secret, "base64url", "event digest key").slice(0, keyIdChars);
    keyIds.set(secret, id);
  }
  return id;
}

function sortedKeys(_key: string, value: unknown): unknown {
  if (typeof value !== "object" || value === null || Array.isArray(value)) return value;
  return Object.fromEntries(Object.entries(value).sort(([a], [b]) => (a < b ? -1 : 1)));
}
