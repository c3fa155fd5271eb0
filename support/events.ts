import type { EmailEvent } from "../src/email/event.ts";

let count = 0;

/** A code of its own for a recipient of its own, alive for ten minutes. */
export function codeEvent(
  fields: Partial<Omit<EmailEvent, "eventType" | "data">> = {},
): EmailEvent {
  count += 1;
  const timestamp = fields.timestamp ?? Date.now();
  return {
    messageId: `code-${crypto.randomUUID()}`,
    recipient: `person${count}@example.com`,
    expiresAt: timestamp + 600_000,
    ...fields,
    timestamp,
    eventType: "verification_code",
    data: { code: "402817", expires_in: "10m" },
  };
}

/** A mail that never expires. */
export function welcomeEvent(
  fields: Partial<Omit<EmailEvent, "eventType" | "data">> = {},
): EmailEvent {
  count += 1;
  return {
    messageId: `welcome-${crypto.randomUUID()}`,
    recipient: `person${count}@example.com`,
    timestamp: Date.now(),
    expiresAt: undefined,
    ...fields,
    eventType: "welcome",
    data: { username: "ana" },
  };
}

/** A code that lives for an hour, for a recipient of its own. */
export function lastingCodeEvent(): EmailEvent {
  const timestamp = Date.now();
  return codeEvent({ timestamp, expiresAt: timestamp + 3_600_000 });
}

/** Mails by turns: one that never expires, one that lives for an hour; each to another recipient. */
export function makeMails(count: number): EmailEvent[] {
  return Array.from({ length: count }, (_, index) =>
    index % 2 === 0 ? welcomeEvent() : lastingCodeEvent(),
  );
}
