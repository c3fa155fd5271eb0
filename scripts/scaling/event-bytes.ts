import { encodeEmailEvent, eventKey } from "../../src/email/event.ts";

/** Of a record beside key and value: lengths, offset, time, headers; and its part of the batch. */
const overheadBytes = 40;

/** A sign-in code on the log, uncompressed, for an address of usual length. */
export function eventBytes(): number {
  const timestamp = Date.UTC(2026, 0, 1);
  const event = {
    messageId: "00000000-0000-4000-8000-000000000000",
    eventType: "verification_code",
    timestamp,
    expiresAt: timestamp + 600_000,
    recipient: "somebody.or.other@example.com",
    data: { code: "000000", expires_in: "10m", purpose: "sign_in" },
  } as const;
  return eventKey(event).length + encodeEmailEvent(event).length + overheadBytes;
}
