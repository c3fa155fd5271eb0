import type { EmailEvent } from "../../src/email/event.ts";
import { codeEvent, welcomeEvent } from "../../support/events.ts";

/** Half codes that live for an hour, half mails that never expire; each to somebody else. */
export function makeMails(count: number): EmailEvent[] {
  return Array.from({ length: count }, (_, index) =>
    index % 2 === 0 ? welcomeEvent() : makeLastingCode(),
  );
}

/** A code that lives for an hour, for somebody else each time. */
export function makeLastingCode(): EmailEvent {
  const code = codeEvent();
  return { ...code, expiresAt: code.timestamp + 3_600_000 };
}
