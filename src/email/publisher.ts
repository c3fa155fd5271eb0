import type { EmailEvent } from "./event.ts";

/** How another room asks for a mail. */
export interface EmailPublisher {
  /**
   * Resolves when somebody holds the mail: `queued`, the event log acknowledged it; `delivered`,
   * the SMTP server took it (the direct path); `unavailable`, nobody does and the caller may ask
   * again with the same event; or `unsupported_address`, the SMTP server is known not to take it. Within 13 s; never throws for an engine that is away.
   */
  publish(event: EmailEvent): Promise<PublishOutcome>;
  /** What became of an earlier mail, as far as the ledger knows. `unknown` when it cannot say. */
  fate(messageId: string): Promise<MailFate>;
}

export type PublishOutcome =
  | { readonly kind: "queued" }
  | { readonly kind: "delivered" }
  | { readonly kind: "unavailable"; readonly retryAfterSeconds: number }
  /** It has letters beyond ASCII before the @, for which the server would need SMTPUTF8. */
  | { readonly kind: "unsupported_address" };

/** `failed`: rejected, expired or ambiguous: the mail will not come, or nobody knows. */
export type MailFate = "unknown" | "pending" | "accepted" | "failed";
