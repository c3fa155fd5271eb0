import type { EmailEvent } from "./event.ts";

/** How another room asks for a mail. */
export interface EmailPublisher {
  /**
   * Resolves when somebody holds the mail: `queued`, the event log acknowledged it; `delivered`,
   * the SMTP server took it (the direct path); `unavailable`, nobody does and the caller may ask
   * again with the same event; or `unsupported_address`, the SMTP server is known not to take it.
   * By `answerBy` (Unix ms; 12 s from now when left out); never throws for an engine that is
   * unavailable.
   */
  publish(event: EmailEvent, options?: { readonly answerBy?: number }): Promise<PublishOutcome>;
  /** What became of an earlier mail, as far as the ledger knows. `unknown` when it cannot say. */
  fate(messageId: string): Promise<MailFate>;
}

/** From its start, a request that asks for a mail is answered within this, whatever is away. */
export const answerMsMax = 12_000;

export type PublishOutcome =
  | { readonly kind: "queued" }
  | { readonly kind: "delivered" }
  | { readonly kind: "unavailable"; readonly retryAfterSeconds: number }
  /** It has letters beyond ASCII before the @, for which the server would need SMTPUTF8. */
  | { readonly kind: "unsupported_address" };

/** `failed`: rejected, expired or ambiguous: the mail will not come, or nobody knows. */
export type MailFate = "unknown" | "pending" | "accepted" | "failed";
