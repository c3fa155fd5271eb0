import { isInstantError } from "../../core/errors.ts";
import type { Clock } from "../../core/time.ts";
import type { EmailEvent } from "../event.ts";
import { isOptionalType } from "../event.ts";
import type { Claim, DeliveryLedger } from "../ledger/delivery-ledger.ts";
import type { Mailer, MailMessage, SendOptions, SendOutcome } from "../mailer/mailer.ts";
import type { EventType } from "../mails/mail-types.tsx";
import type { UnsubscribeLink } from "../preferences/unsubscribe-link.ts";
import { unsubscribeHeaders } from "../preferences/unsubscribe-link.ts";
import type { RenderMail } from "../templates/mail-renderer.tsx";

/** What a mail is made of beside its event. */
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
  readonly settings: {
    /** Of a claim; in `submitting` three times as long. */
    readonly leaseMs: number;
  };
}

/**
 * Renders and submits one claimed mail. The claim is renewed while the mail waits for a connection;
 * just before the content ends the ledger is told `submitting`, and that lease (three times a
 * claim's: 45 s) is renewed while the answer to the final dot is awaited, however long that may take:
 * a living owner waits, a dead one is taken over. The mail is withheld (nothing was sent) when the
 * claim was lost by then, the ledger did not answer, the event expired meanwhile, or a third of the
 * new lease is gone before the dot.
 *
 * A ledger that is away past the lease lets another owner take the mail over as `ambiguous`; this one
 * then renews nothing any more, and an acceptance that it still reads is recorded as late.
 */
export async function submit(
  deps: SubmissionDeps,
  claim: Claim,
  event: EmailEvent,
  options: Omit<SendOptions, "beforeContentEnds">,
): Promise<SendOutcome> {
  const { ledger, mailer, clock, settings } = deps;
  const message = composeMessage(deps, event);
  let renewal = renewPeriodically(deps, claim, "claimed");
  const beforeContentEnds = async () => {
    clearInterval(renewal);
    const requestedAt = clock.now();
    if (event.expiresAt !== undefined && requestedAt >= event.expiresAt) return false;
    const leaseMs = settings.leaseMs * submittingLeases;
    const outcome = await ledger.advance(claim, { kind: "submitting", leaseMs });
    if (outcome.kind !== "done" || clock.now() - requestedAt >= settings.leaseMs) return false;
    renewal = renewPeriodically(deps, claim, "submitting");
    return true;
  };
  try {
    return await mailer.send(message, { ...options, beforeContentEnds });
  } finally {
    clearInterval(renewal);
  }
}

/** The mail of an event as it is now: what it says of time is what is left. */
export function composeMessage(deps: ComposingDeps, event: EmailEvent): MailMessage {
  const unsubscribeUrl = deps.unsubscribeLink(event);
  const optional = unsubscribeUrl === undefined ? {} : { unsubscribeUrl };
  const mail = deps.render(event, { now: deps.clock.now(), ...optional });
  const headers = {
    ...automaticHeaders(event.eventType, deps.feedbackSender),
    ...(unsubscribeUrl === undefined ? {} : unsubscribeHeaders(unsubscribeUrl)),
  };
  return { messageId: event.messageId, to: event.recipient, ...mail, headers };
}

/**
 * No person wrote it: no vacation notice should answer it (RFC 3834; the second field says it to
 * Exchange). Feedback-ID is by what Gmail groups the complaints that it counts: at most three parts
 * of ours, then the sender's own, the same in all mails.
 */
function automaticHeaders(eventType: EventType, feedbackSender: string) {
  return {
    "Auto-Submitted": "auto-generated",
    "X-Auto-Response-Suppress": "All",
    "Feedback-ID": `${eventType}:${isOptionalType(eventType) ? "optional" : "required"}:instant:${feedbackSender}`,
  };
}

/** 5 to 15 letters, digits and dashes, as Gmail wants them, from the application's name. */
export function feedbackSenderOf(appName: string): string {
  const plain = appName.normalize("NFKD").toLowerCase();
  const slug = plain.replace(/[^a-z0-9]+/g, "-").replace(/^-|-$/g, "");
  const whole = slug.length < 5 ? `${slug}-mails`.replace(/^-/, "") : slug;
  return whole.slice(0, 15).replace(/-$/, "");
}

/** Of a claim's lease: how long that in `submitting` is. */
const submittingLeases = 3;

/**
 * Each third of the lease, until it is stopped or the claim is lost. One that fails needs no answer:
 * whatever is written next compares owner and fence again.
 */
function renewPeriodically(
  deps: SubmissionDeps,
  claim: Claim,
  state: "claimed" | "submitting",
): ReturnType<typeof setInterval> {
  const leaseMs = deps.settings.leaseMs * (state === "submitting" ? submittingLeases : 1);
  const timer = setInterval(() => {
    deps.ledger.advance(claim, { kind: "renew", state, leaseMs }).then(
      ({ kind }) => {
        if (kind === "lost") clearInterval(timer);
      },
      (error: unknown) => {
        if (!isInstantError(error)) throw error;
      },
    );
  }, leaseMs / 3);
  return timer;
}
