import { maskEmail } from "../../core/log.ts";
import { hmacText } from "../../core/secret.ts";
import type { Clock } from "../../core/time.ts";
import { currentTraceContext } from "../../core/trace-context.ts";
import type { EmailEvent } from "../event.ts";
import type { ClaimRequest, EventOrigin } from "../ledger/delivery-ledger.ts";
import type { EventType } from "../mails/mail-types.tsx";

const keyIdChars = 6;

/**
 * What makes two events with one `message_id` the same mail: type, recipient and data, whatever the
 * order of the fields. Keyed, so that a code cannot be guessed from the ledger: `<key id>.<HMAC>`,
 * 50 characters.
 */
export function eventDigest(
  secret: string,
  event: Pick<EmailEvent, "eventType" | "recipient" | "data">,
): string {
  const data = JSON.stringify(event.data, sortedKeys);
  const { eventType, recipient } = event;
  const mac = hmacText(secret, "base64url", "event digest", eventType, recipient, data);
  return `${keyIdOf(secret)}.${mac}`;
}

/**
 * Whether two digests are of different mails. Those of different keys cannot be compared and do not
 * conflict: a mail on its way while EMAIL_SECRET changes is no error.
 */
export function digestsConflict(a: string, b: string): boolean {
  return a !== b && a.slice(0, keyIdChars) === b.slice(0, keyIdChars);
}

const keyIds = new Map<string, string>();

function keyIdOf(secret: string): string {
  let id = keyIds.get(secret);
  if (id === undefined) {
    id = hmacText(secret, "base64url", "event digest key").slice(0, keyIdChars);
    keyIds.set(secret, id);
  }
  return id;
}

function sortedKeys(_key: string, value: unknown): unknown {
  if (typeof value !== "object" || value === null || Array.isArray(value)) return value;
  return Object.fromEntries(Object.entries(value).sort(([a], [b]) => (a < b ? -1 : 1)));
}

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
    traceId: currentTraceContext()?.traceId,
    resubmit: settings.resendAmbiguous.has(event.eventType) && !isExpired(clock, event),
  };
}

export function isExpired(clock: Clock, { expiresAt }: EmailEvent): boolean {
  return expiresAt !== undefined && clock.now() >= expiresAt;
}
