import type { Clock } from "../core/clock.ts";
import { maskEmail } from "../core/log.ts";
import { currentTrace } from "../core/trace-context.ts";
import type { EmailEvent } from "./event.ts";
import type { ClaimRequest, EventOrigin } from "./ledger/delivery-ledger.ts";
import { eventDigest } from "./ledger/digest.ts";
import type { EventType } from "./mails/mail-types.ts";

export interface ClaimSettings {
  readonly digestSecret: string;
  readonly leaseMs: number;
  /** Types that are sent once more when the answer after the content was lost. */
  readonly resendAmbiguous: ReadonlySet<EventType>;
}

/** What a run asks the ledger for. */
export function claimRequest(
  { settings, clock }: { readonly settings: ClaimSettings; readonly clock: Clock },
  run: {
    readonly owner: string;
    readonly replayCount: number;
    readonly origin: EventOrigin | undefined;
  },
  event: EmailEvent,
): ClaimRequest {
  return {
    messageId: event.messageId,
    owner: run.owner,
    digest: eventDigest(settings.digestSecret, event),
    eventType: event.eventType,
    recipient: maskEmail(event.recipient),
    eventTimestamp: event.timestamp,
    origin: run.origin,
    replayCount: run.replayCount,
    leaseMs: settings.leaseMs,
    trace: currentTrace()?.traceId,
    resubmit: settings.resendAmbiguous.has(event.eventType) && !isExpired(clock, event),
  };
}

export function isExpired(clock: Clock, { expiresAt }: EmailEvent): boolean {
  return expiresAt !== undefined && clock.now() >= expiresAt;
}
