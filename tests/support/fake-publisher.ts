import type {
  EmailPublisher,
  MailStatus,
  PublishOutcome,
} from "../../src/email/delivery/publisher.ts";
import type { EmailEvent } from "../../src/email/event.ts";

/** Keeps the events it is given, and is unavailable when told so. */
export class FakePublisher implements EmailPublisher {
  readonly events: EmailEvent[] = [];
  readonly fates = new Map<string, MailStatus>();
  unavailable = false;
  unsupported = false;

  async publish(event: EmailEvent): Promise<PublishOutcome> {
    this.events.push(event);
    if (this.unsupported) return { kind: "unsupported_address" };
    return this.unavailable ? { kind: "unavailable", retryAfterSeconds: 7 } : { kind: "queued" };
  }

  async status(messageId: string): Promise<MailStatus> {
    return this.fates.get(messageId) ?? "unknown";
  }

  /** The newest code that was mailed. */
  get code(): string {
    for (const { eventType, data } of this.events.toReversed()) {
      if (eventType === "verification_code") return data.code;
    }
    throw new Error("no code was mailed");
  }
}
