import type { Clock } from "../../core/time.ts";
import type { EmailEvent } from "../event.ts";
import { isOptionalType } from "../event.ts";
import type { Claim, DeliveryLedger } from "../ledger/delivery-ledger.ts";
import type { Mailer, MailMessage, SendOptions, SendOutcome } from "../mailer/mailer.ts";
import type { EventType } from "../mails/mail-types.tsx";
import type { UnsubscribeLink } from "../preferences/preference-store.ts";
import { unsubscribeHeaders } from "../preferences/preference-store.ts";
import type { RenderMail } from "../templates/mail-renderer.tsx";
import type { HeldLease, Leases } from "./leases.ts";
import { isExpired } from "./outcome.ts";

/** What a message is made of, besides its event. */
interface ComposingDeps {
  readonly clock: Clock;
  readonly unsubscribeLink: UnsubscribeLink;
  readonly render: RenderMail;
  /** The last part of Feedback-ID; see `feedbackSenderOf`. */
  readonly feedbackSender: string;
}

export interface SubmissionDeps extends ComposingDeps {
  readonly ledger: DeliveryLedger;
  readonly mailer: Mailer;
  readonly leases: Leases;
}

interface SubmitOptions extends Omit<SendOptions, "beforeContentEnds"> {
  readonly onContentEnds?: () => void;
}

/**
 * Renders and submits one claimed mail. The claim is renewed while the mail waits for a connection.
 * Just before the content ends, `submitting` is written to the ledger, and that lease (three times a
 * claim's: 45 s) is renewed while the answer to the final dot is awaited, however long it takes: a
 * living owner waits, a dead one is replaced. The mail is withheld (nothing was sent) when by then the
 * claim was lost, the ledger did not answer, the event expired, or a third of the new lease is gone.
 *
 * When the ledger is unavailable for longer than the lease, another owner may take the mail over as
 * `ambiguous`; this one then renews nothing any more, and an acceptance that it still reads is
 * recorded as late.
 */
export async function submit(
  deps: SubmissionDeps,
  claim: Claim,
  event: EmailEvent,
  { onContentEnds, ...options }: SubmitOptions,
): Promise<SendOutcome> {
  const { ledger, mailer, clock, leases } = deps;
  const message = composeMessage(deps, event);
  const lease: HeldLease = { claim, state: "claimed", renewedAt: clock.now() };
  leases.hold(lease);
  const beforeContentEnds = async () => {
    const now = clock.now();
    if (isExpired(event, now)) return false;
    const leaseMs = leases.lengthOf("submitting");
    const outcome = await ledger.advance(claim, { kind: "submitting", leaseMs });
    if (outcome.kind !== "done" || clock.now() - now >= leases.leaseMs) return false;
    lease.state = "submitting";
    lease.renewedAt = now;
    onContentEnds?.();
    return true;
  };
  try {
    return await mailer.send(message, { ...options, beforeContentEnds });
  } finally {
    leases.drop(lease);
  }
}

/** The message of an event as of now: where it names a time that is left, it is left from now. */
export function composeMessage(deps: ComposingDeps, event: EmailEvent): MailMessage {
  const { messageId, eventType, recipient } = event;
  const renderedAt = deps.clock.now();
  const unsubscribeUrl = deps.unsubscribeLink(event);
  const isOptional = unsubscribeUrl !== undefined;
  const context = { now: renderedAt, ...(isOptional && { unsubscribeUrl }) };
  const mail = deps.render(event, context);
  const automatic = automaticHeaders(eventType, deps.feedbackSender);
  return {
    messageId,
    to: recipient,
    subject: mail.subject,
    text: mail.text,
    get html() {
      return mail.html;
    },
    get bodies() {
      return mail.bodies;
    },
    headers: isOptional ? { ...automatic, ...unsubscribeHeaders(unsubscribeUrl) } : automatic,
    source: { event, renderedAt, unsubscribeUrl },
  };
}

/**
 * No person wrote it, so no vacation notice should answer it (RFC 3834; the second field is for
 * Exchange). Gmail counts complaints by Feedback-ID: at most three parts of ours, then the sender's
 * own, which is the same in all mails.
 */
function automaticHeaders(eventType: EventType, feedbackSender: string) {
  return {
    "Auto-Submitted": "auto-generated",
    "X-Auto-Response-Suppress": "All",
    "Feedback-ID": `${eventType}:${isOptionalType(eventType) ? "optional" : "required"}:instant:${feedbackSender}`,
  };
}

/** 5 to 15 letters, digits and dashes, as Gmail requires, from the application's name. */
export function feedbackSenderOf(appName: string): string {
  const plain = appName.normalize("NFKD").toLowerCase();
  const slug = plain.replace(/[^a-z0-9]+/g, "-").replace(/^-|-$/g, "");
  const whole = slug.length < 5 ? `${slug}-mails`.replace(/^-/, "") : slug;
  return whole.slice(0, 15).replace(/-$/, "");
}
