import { backoffMs } from "../../core/backoff.ts";
import { isInstantError } from "../../core/errors.ts";
import type { Log } from "../../core/log.ts";
import type { Clock } from "../../core/time.ts";
import type { EmailEvent } from "../event.ts";
import type {
  AdvanceOutcome,
  Claim,
  DeliveryLedger,
  LedgerChange,
  RejectedClass,
} from "../ledger/delivery-ledger.ts";
import type { RefusedMail, ServerDown } from "../mailer/mailer.ts";
import type { RefusalVerdict } from "../mailer/server-streak.ts";
import { quietMs } from "../mailer/server-streak.ts";
import type { DeadLetterCause, DeadLetterClass, DeliveryOutcome } from "./outcome.ts";
import { lineOf } from "./outcome.ts";

/**
 * When a deferred mail is tried again: after 1, 2, 4, 8 … s (± 20 %), growing to 5 min, as mail
 * servers do for each other, until `untilMs`; then it is given up. A first try late in its time (a
 * backlog, an outage) still has three more, after 1, 2 and 4 s. With the default of 4 h that is
 * about 55 tries. A delay that the server asked for is honoured up to 60 s.
 */
interface RetryInput {
  /** Tries made, this one included; at least 1. */
  readonly attempts: number;
  /** Unix ms; see `retryUntil`. */
  readonly untilMs: number;
  readonly retryAfterMs: number | undefined;
  readonly now: number;
  /** 0 ≤ random < 1. */
  readonly random: number;
}

type RetryDecision =
  | { readonly kind: "retry"; readonly waitMs: number }
  | { readonly kind: "give_up" };

const retryBackoff = { delayMsMin: 1000, delayMsMax: 300_000, jitter: 0.2 };
const requestedDelayMsMax = 60_000;
const extraAttempts = 3;

export function decideRetry(input: RetryInput): RetryDecision {
  const { attempts, untilMs, now, random } = input;
  const requested = Math.min(input.retryAfterMs ?? 0, requestedDelayMsMax);
  const waitMs = Math.max(backoffMs(attempts, retryBackoff, random), Math.round(requested));
  if (attempts <= extraAttempts) return { kind: "retry", waitMs };
  if (now >= untilMs) return { kind: "give_up" };
  return { kind: "retry", waitMs: Math.min(waitMs, untilMs - now) }; // the last try is at its end
}

/** Until when a mail that is deferred is tried: for `retryForMs`, and not beyond its expiry. */
export function retryUntil(
  event: { readonly expiresAt: number | undefined },
  since: number,
  retryForMs: number,
): number {
  return Math.min(since + retryForMs, event.expiresAt ?? Number.POSITIVE_INFINITY);
}

/**
 * What may follow a send that was not accepted: each step writes what is now known to the ledger
 * and says what to do next. Called by the pipeline alone, which chooses the step.
 */
export interface SettlementDeps {
  /** Writes a known outcome, however long the ledger is away. */
  readonly record: (claim: Claim, change: LedgerChange) => Promise<AdvanceOutcome>;
  readonly clock: Clock;
  readonly log: Log;
  readonly random: () => number;
  readonly settings: {
    /** 0: a server that is down spends the message's tries, as the guide's service did. */
    readonly outageRetryForMs: number;
    /** How long a mail that is deferred is tried, from `heldSince` on. */
    readonly retryForMs: number;
  };
}

export interface SentMail {
  readonly event: EmailEvent;
  readonly claim: Claim;
  /** Tries spent before this one. */
  readonly attempts: number;
  /** From when on an outage may pause it and deferrals are retried, Unix ms. */
  readonly retryingSince: number;
}

/** After a claim was lost: how soon to ask the ledger what the new owner made of it. */
export const lostWaitMs = 100;

interface Deferral {
  readonly cause: "deferred" | "lost" | "preferences_unavailable";
  readonly reason: string;
  readonly retryAfterMs: number | undefined;
  readonly givenUpAs: "retries_exhausted" | "smtp_unavailable";
  /** Until when it is tried, Unix ms; EMAIL_RETRY_FOR decides when left out. */
  readonly untilMs?: number;
}

/**
 * Spends a try and leaves the mail until the next one. The lease ends exactly then, so the ledger
 * knows when that is: whoever has the record by then (this lane, or a worker that was started
 * meanwhile) goes on with the schedule, and nobody before.
 */
export async function defer(
  deps: SettlementDeps,
  sent: SentMail,
  deferral: Deferral,
): Promise<DeliveryOutcome> {
  const { claim, event } = sent;
  const { reason, retryAfterMs, cause, givenUpAs } = deferral;
  const attempts = sent.attempts + 1;
  const now = deps.clock.now();
  const untilMs =
    deferral.untilMs ?? retryUntil(event, sent.retryingSince, deps.settings.retryForMs);
  const decision = decideRetry({ attempts, untilMs, retryAfterMs, now, random: deps.random() });
  if (decision.kind === "give_up") {
    return giveUp(deps, sent, { kind: "rejected", class: givenUpAs, reason });
  }
  const { waitMs } = decision;
  const change = { kind: "deferred", countsAttempt: true, leaseMs: waitMs, reason } as const;
  const outcome = await deps.record(claim, change);
  if (outcome.kind !== "done") return { kind: "leased", waitMs: lostWaitMs };
  deps.log.warn({ ...lineOf(event), attempts, waitMs, reason }, "Email deferred, will try again");
  return { kind: "retry", waitMs, cause, reason };
}

/**
 * A server is down: no try is spent and the claim is free, until the hold is over; as long as
 * another server is well there is nothing to wait for, and no hold.
 */
export async function deferForServer(
  deps: SettlementDeps,
  sent: SentMail,
  down: ServerDown,
): Promise<DeliveryOutcome> {
  const { claim, event, retryingSince } = sent;
  const { reason } = down;
  const { outageRetryForMs } = deps.settings;
  const moves = down.another === true;
  if (outageRetryForMs === 0 && !moves) {
    return defer(deps, sent, {
      cause: "deferred",
      reason,
      retryAfterMs: undefined,
      givenUpAs: "smtp_unavailable",
      untilMs: guideUntil(event),
    });
  }
  const retryEndsAt = retryingSince + outageRetryForMs;
  if (deps.clock.now() >= retryEndsAt && !moves) {
    return giveUp(deps, sent, { kind: "rejected", class: "smtp_unavailable", reason });
  }
  const change = { kind: "deferred", countsAttempt: false, leaseMs: 0, reason } as const;
  const outcome = await deps.record(claim, change);
  if (outcome.kind !== "done") return { kind: "leased", waitMs: lostWaitMs };
  const untilMs = Math.min(event.expiresAt ?? Number.POSITIVE_INFINITY, retryEndsAt);
  return { kind: "server_down", down, untilMs };
}

/** Nothing is made of the refusal yet; the claim stays ours while its verdict is awaited. */
export async function deferRefusal(
  deps: SettlementDeps,
  { claim }: SentMail,
  refusal: RefusedMail,
  verdict: Promise<RefusalVerdict>,
): Promise<DeliveryOutcome> {
  const reason = `${refusal.stage} refused, to be confirmed: ${refusal.reply}`;
  const change = { kind: "deferred", countsAttempt: false, leaseMs: quietMs, reason } as const;
  const outcome = await deps.record(claim, change);
  if (outcome.kind !== "done") return { kind: "leased", waitMs: lostWaitMs };
  return { kind: "unconfirmed", refusal, verdict };
}

const throttledWaitMs = 500;
const throttledWaitMsMax = 60_000;

/**
 * We were too fast: no try is spent and the claim stays ours. The mailer keeps the pace; the short
 * wait only lets other mails go first. Given up when an outage would be.
 */
export async function deferForRate(
  deps: SettlementDeps,
  sent: SentMail,
  throttled: { readonly reply: string; readonly retryAfterMs: number | undefined },
): Promise<DeliveryOutcome> {
  const { outageRetryForMs } = deps.settings;
  const reason = `throttled: ${throttled.reply}`;
  if (outageRetryForMs > 0 && deps.clock.now() >= sent.retryingSince + outageRetryForMs) {
    return giveUp(deps, sent, { kind: "rejected", class: "smtp_unavailable", reason });
  }
  const requestedMs = Math.min(throttled.retryAfterMs ?? 0, throttledWaitMsMax);
  const waitMs = Math.round(Math.max(throttledWaitMs * (0.5 + deps.random()), requestedMs));
  const change = { kind: "deferred", countsAttempt: false, leaseMs: waitMs, reason } as const;
  const outcome = await deps.record(sent.claim, change);
  if (outcome.kind !== "done") return { kind: "leased", waitMs: lostWaitMs };
  return { kind: "retry", waitMs, cause: "throttled", reason };
}

/** EMAIL_OUTAGE_RETRY_FOR=0, as the guide's service: three retries, and a code as long as it lives. */
function guideUntil({ eventType, expiresAt }: EmailEvent): number {
  return eventType === "verification_code" ? (expiresAt ?? 0) : 0;
}

/** How soon an optional mail asks again for its recipient's wishes. */
const preferencesWaitMs = 2_000;

/**
 * The recipient's wishes cannot be read: an optional mail waits in its lane, as for a server that is
 * away, and is given up as `retries_exhausted`.
 */
export async function deferForPreferences(
  deps: SettlementDeps,
  sent: SentMail,
  reason: string,
): Promise<DeliveryOutcome> {
  const { claim, retryingSince } = sent;
  const { outageRetryForMs } = deps.settings;
  const cause = "preferences_unavailable";
  const givenUpAs = "retries_exhausted";
  if (outageRetryForMs === 0) {
    const untilMs = guideUntil(sent.event);
    return defer(deps, sent, { cause, reason, retryAfterMs: undefined, givenUpAs, untilMs });
  }
  if (deps.clock.now() >= retryingSince + outageRetryForMs) {
    return giveUp(deps, sent, { kind: "rejected", class: givenUpAs, reason });
  }
  const change = { kind: "deferred", countsAttempt: false, leaseMs: 0, reason } as const;
  const outcome = await deps.record(claim, change);
  if (outcome.kind !== "done") return { kind: "leased", waitMs: lostWaitMs };
  return { kind: "retry", waitMs: preferencesWaitMs * (0.8 + 0.4 * deps.random()), cause };
}

export async function release(
  deps: SettlementDeps,
  claim: Claim,
  { reason, why: cause }: { readonly reason: string; readonly why: "lost" | "withheld" },
): Promise<DeliveryOutcome> {
  await deps.record(claim, { kind: "deferred", countsAttempt: false, leaseMs: 0, reason });
  return { kind: "retry", waitMs: cause === "lost" ? 0 : lostWaitMs, cause };
}

export async function giveUp(
  deps: SettlementDeps,
  { claim, attempts }: SentMail,
  change: Extract<LedgerChange, { kind: "rejected" }>,
): Promise<DeliveryOutcome> {
  const outcome = await deps.record(claim, change);
  if (outcome.kind !== "done") return { kind: "leased", waitMs: lostWaitMs };
  return deadLetter({
    class: deadLetterClassOf(change.class),
    reason: change.reason,
    messageId: claim.messageId,
    attempts: attempts + 1,
    inLedger: true,
  });
}

/** The ledger's word for a refusal differs from the dead letters'. */
export function deadLetterClassOf(rejected: RejectedClass): DeadLetterClass {
  return rejected === "refused" ? "rejected" : rejected;
}

export function deadLetter(cause: DeadLetterCause): DeliveryOutcome {
  return { kind: "dead_letter", deadLetter: cause };
}

/**
 * Lets a claim go whose owner stops between two tries, so that the next owner need not wait for its
 * lease. A ledger that is away now lets it go by itself when the lease ends.
 */
export async function releaseClaim(
  ledger: Pick<DeliveryLedger, "advance">,
  claim: Claim | undefined,
  reason: string,
): Promise<void> {
  if (claim === undefined) return;
  try {
    await ledger.advance(claim, { kind: "deferred", countsAttempt: false, leaseMs: 0, reason });
  } catch (error) {
    if (!isInstantError(error)) throw error;
  }
}
