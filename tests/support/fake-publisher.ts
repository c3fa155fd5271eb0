import type { EmailEvent } from "../../src/email/event.ts";
import type { EmailPublisher, MailFate, PublishOutcome } from "../../src/email/publisher.ts";

/** Keeps the events it is given, and is unavailable when told so. */
export class FakePublisher implements EmailPublisher {
  readonly events: EmailEvent[] = [];
  readonly fates = new Map<string, MailFate>();
  unavailable = false;

  async publish(event: EmailEvent): Promise<PublishOutcome> {
    this.events.push(event);
    return this.unavailable ? { kind: "unavailable", retryAfterSeconds: 7 } : { kind: "queued" };
  }

  async fate(messageId: string): Promise<MailFate> {
    return this.fates.get(messageId) ?? "unknown";
  }

  /** The code of the newest event. */
  get code(): string {
    const event = this.events.at(-1);
    if (event?.eventType !== "verification_code") throw new Error("no code was mailed");
    return event.data.code;
  }
}
