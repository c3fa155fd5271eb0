import type { EmailEvent } from "./event.ts";

/** How another room asks for a mail. */
export interface EmailPublisher {
  /**
   * Resolves when somebody holds the mail: `queued`, the event log acknowledged it; `delivered`,
   * the SMTP server took it (the direct path); or `unavailable`, nobody does and the caller may ask
   * again with the same event. Within 13 s; never throws for an engine that is away.
   */
  publish(event: EmailEvent): Promise<PublishOutcome>;
  /** What became of an earlier mail, as far as the ledger knows. `unknown` when it cannot say. */
  fate(messageId: string): Promise<MailFate>;
}

export type PublishOutcome =
  | { readonly kind: "queued" }
  | { readonly kind: "delivered" }
  | { readonly kind: "unavailable"; readonly retryAfterSeconds: number };

/** `failed`: rejected, expired or ambiguous: the mail will not come, or nobody knows. */
export type MailFate = "unknown" | "pending" | "accepted" | "failed";
