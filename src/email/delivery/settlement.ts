import { isInstantError } from "../../core/errors.ts";
import type { Log } from "../../core/log.ts";
import type { Clock } from "../../core/time.ts";
import { backoffMs } from "../../core/time.ts";
import type { EmailEvent } from "../event.ts";
import type {
  AdvanceOutcome,
  Claim,
  DeliveryLedger,
  LedgerChange,
  RejectedClass,
  SmtpEvidence,
} from "../ledger/delivery-ledger.ts";
import type { RefusedMail, ServerDown } from "../mailer/mailer.ts";
import type { RefusalVerdict } from "../mailer/server-streak.ts";
import { quietMs } from "../mailer/server-streak.ts";
import type { DeadLetterClass, DeliveryOutcome, RetryCause } from "./outcome.ts";
import { lineOf } from "./outcome.ts";

/**
 * The steps that may follow a mail that was not accepted: each writes what is now known to the
 * ledger and returns what to do next. The pipeline alone calls them, and chooses which.
 */
export interface SettlementDeps {
  /** Writes a known outcome, however long the ledger is unavailable. */
  readonly record: (claim: Claim, change: LedgerChange) => Promise<AdvanceOutcome>;
  readonly clock: Clock;
  readonly log: Log;
  readonly random: () => number;
  readonly settings: {
    /** 0: a server that is down costs the mail its attempts, as in the guide's service. */
    readonly outageRetryForMs: number;
    /** How long a deferred mail is retried, from `retryingSince` on. */
    readonly retryForMs: number;
  };
}

export interface SentMail {
  readonly event: EmailEvent;
  readonly claim: Claim;
  /** Before this one. */
  readonly attempts: number;
  /** Unix ms: how long it may be retried counts from here. */
  readonly retryingSince: number;
}

/** The claim is another owner's now: soon the ledger knows what that one made of it. */
export const claimLost = { kind: "leased", waitMs: 100 } as const satisfies DeliveryOutcome;

interface Deferral {
  readonly cause: "deferred" | "lost" | "preferences_unavailable";
  readonly reason: string;
  readonly retryAfterMs: number | undefined;
  readonly givenUpAs: "retries_exhausted" | "smtp_unavailable";
  /** Until when it is retried, Unix ms; EMAIL_RETRY_FOR decides when left out. */
  readonly untilMs?: number;
}

/**
 * Counts an attempt and leaves the mail until the next one. The lease ends exactly then, so the
 * ledger knows when that is: whoever has the record by then (this lane, or a worker that was started
 * meanwhile) goes on with the schedule, and nobody before.
 */
export async function defer(
  deps: SettlementDeps,
  mail: SentMail,
  { cause, reason, retryAfterMs, givenUpAs, untilMs: givenUntilMs }: Deferral,
): Promise<DeliveryOutcome> {
  const { claim, event } = mail;
  const attempts = mail.attempts + 1;
  const now = deps.clock.now();
  const untilMs = givenUntilMs ?? retryUntil(event, mail.retryingSince, deps.settings.retryForMs);
  const decision = decideRetry({ attempts, untilMs, retryAfterMs, now, random: deps.random() });
  if (decision.kind === "give_up") {
    return giveUp(deps, mail, { kind: "rejected", class: givenUpAs, reason });
  }
  const { waitMs } = decision;
  const change = { kind: "deferred", countsAttempt: true, leaseMs: waitMs, reason } as const;
  const outcome = await deps.record(claim, change);
  if (outcome.kind !== "done") return claimLost;
  deps.log.warn({ ...lineOf(event), attempts, waitMs, reason }, "Email deferred, will try again");
  return { kind: "retry", waitMs, cause, reason };
}

/**
 * A server is down: no attempt counts, and the claim is free until a server is back or
 * EMAIL_OUTAGE_RETRY_FOR is over. While another server is up there is nothing to wait for.
 */
export async function deferForServer(
  deps: SettlementDeps,
  mail: SentMail,
  down: ServerDown,
): Promise<DeliveryOutcome> {
  const { event, retryingSince } = mail;
  const { reason } = down;
  const { outageRetryForMs } = deps.settings;
  if (down.another !== true) {
    if (outageRetryForMs === 0) {
      const untilMs = guideUntil(event);
      const givenUpAs = "smtp_unavailable";
      return defer(deps, mail, {
        cause: "deferred",
        reason,
        retryAfterMs: undefined,
        givenUpAs,
        untilMs,
      });
    }
    if (isOutageOver(deps, mail)) {
      return giveUp(deps, mail, { kind: "rejected", class: "smtp_unavailable", reason });
    }
  }
  const retryEndsAt = retryingSince + outageRetryForMs;
  const untilMs = Math.min(event.expiresAt ?? Number.POSITIVE_INFINITY, retryEndsAt);
  return leave(deps, mail.claim, { leaseMs: 0, reason }, { kind: "server_down", down, untilMs });
}

/** Nothing is made of the refusal yet; the claim stays ours while its verdict is awaited. */
export async function deferRefusal(
  deps: SettlementDeps,
  { claim }: SentMail,
  refusal: RefusedMail,
  verdict: Promise<RefusalVerdict>,
): Promise<DeliveryOutcome> {
  const reason = `${refusal.stage} refused, to be confirmed: ${refusal.reply}`;
  return leave(
    deps,
    claim,
    { leaseMs: quietMs, reason },
    { kind: "unconfirmed", refusal, verdict },
  );
}

const throttledWaitMs = 500;
const throttledWaitMsMax = 60_000;

/**
 * We were too fast: no attempt counts and the claim stays ours. The mailer keeps the pace; the short
 * wait only lets other mails go first. Given up when an outage would be.
 */
export async function deferForRate(
  deps: SettlementDeps,
  mail: SentMail,
  throttled: { readonly reply: string; readonly retryAfterMs: number | undefined },
): Promise<DeliveryOutcome> {
  const reason = `throttled: ${throttled.reply}`;
  if (deps.settings.outageRetryForMs > 0 && isOutageOver(deps, mail)) {
    return giveUp(deps, mail, { kind: "rejected", class: "smtp_unavailable", reason });
  }
  const requestedMs = Math.min(throttled.retryAfterMs ?? 0, throttledWaitMsMax);
  const waitMs = Math.round(Math.max(throttledWaitMs * (0.5 + deps.random()), requestedMs));
  const outcome = { kind: "retry", waitMs, cause: "throttled", reason } as const;
  return leave(deps, mail.claim, { leaseMs: waitMs, reason }, outcome);
}

const preferencesWaitMs = 2_000;

/**
 * The recipient's preferences cannot be read: an optional mail waits in its lane, as for a server
 * that is down, and is given up as `retries_exhausted`.
 */
export async function deferForPreferences(
  deps: SettlementDeps,
  mail: SentMail,
  reason: string,
): Promise<DeliveryOutcome> {
  const cause = "preferences_unavailable";
  const givenUpAs = "retries_exhausted";
  if (deps.settings.outageRetryForMs === 0) {
    const untilMs = guideUntil(mail.event);
    return defer(deps, mail, { cause, reason, retryAfterMs: undefined, givenUpAs, untilMs });
  }
  if (isOutageOver(deps, mail)) {
    return giveUp(deps, mail, { kind: "rejected", class: givenUpAs, reason });
  }
  const waitMs = preferencesWaitMs * (0.8 + 0.4 * deps.random());
  return leave(deps, mail.claim, { leaseMs: 0, reason }, { kind: "retry", waitMs, cause });
}

/** Nothing was sent, and nobody is to blame: anyone may claim the mail at once. */
export async function release(
  deps: SettlementDeps,
  claim: Claim,
  released: { readonly reason: string; readonly cause: RetryCause; readonly waitMs: number },
): Promise<DeliveryOutcome> {
  const { reason, cause, waitMs } = released;
  await deps.record(claim, { kind: "deferred", countsAttempt: false, leaseMs: 0, reason });
  return { kind: "retry", waitMs, cause };
}

export async function giveUp(
  deps: SettlementDeps,
  { claim, attempts }: SentMail,
  change: Extract<LedgerChange, { kind: "rejected" }>,
): Promise<DeliveryOutcome> {
  const outcome = await deps.record(claim, change);
  if (outcome.kind !== "done") return claimLost;
  return {
    kind: "dead_letter",
    deadLetter: {
      class: deadLetterClassOf(change.class),
      reason: change.reason,
      messageId: claim.messageId,
      attempts: attempts + 1,
      inLedger: true,
    },
  };
}

/** The server's reply, as the ledger keeps it. */
export function acceptance({
  host,
  reply,
  queueId,
}: SmtpEvidence): Extract<LedgerChange, { kind: "accepted" }> {
  return { kind: "accepted", smtp: { host, reply, queueId } };
}

/** The ledger calls a refusal `refused`, the dead letters call it `rejected`. */
export function deadLetterClassOf(rejected: RejectedClass): DeadLetterClass {
  return rejected === "refused" ? "rejected" : rejected;
}

/** No attempt counts: `outcome`, unless the claim was lost. */
async function leave(
  deps: SettlementDeps,
  claim: Claim,
  { leaseMs, reason }: { readonly leaseMs: number; readonly reason: string },
  outcome: DeliveryOutcome,
): Promise<DeliveryOutcome> {
  const change = { kind: "deferred", countsAttempt: false, leaseMs, reason } as const;
  const { kind } = await deps.record(claim, change);
  return kind === "done" ? outcome : claimLost;
}

function isOutageOver({ clock, settings }: SettlementDeps, { retryingSince }: SentMail): boolean {
  return clock.now() >= retryingSince + settings.outageRetryForMs;
}

/** EMAIL_OUTAGE_RETRY_FOR=0, as the guide's service: three retries, and a code as long as it lives. */
function guideUntil({ eventType, expiresAt }: EmailEvent): number {
  return eventType === "verification_code" ? (expiresAt ?? 0) : 0;
}

/** Until when a deferred mail is retried: for `retryForMs`, and not beyond its expiry. */
export function retryUntil(
  event: { readonly expiresAt: number | undefined },
  since: number,
  retryForMs: number,
): number {
  return Math.min(since + retryForMs, event.expiresAt ?? Number.POSITIVE_INFINITY);
}

interface RetryInput {
  /** This one included; at least 1. */
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

/**
 * When a deferred mail is retried: after 1, 2, 4, 8 … s (± 20 %), growing to 5 min, as mail servers
 * do for each other, until `untilMs`; then it is given up. A mail whose first attempt comes late (a
 * backlog, an outage) still has three more, after 1, 2 and 4 s. With the default of 4 h that makes
 * about 55 attempts. A delay that the server asked for is honoured up to 60 s.
 */
export function decideRetry(input: RetryInput): RetryDecision {
  const { attempts, untilMs, now, random } = input;
  const requested = Math.min(input.retryAfterMs ?? 0, requestedDelayMsMax);
  const waitMs = Math.max(backoffMs(attempts, retryBackoff, random), Math.round(requested));
  if (attempts <= extraAttempts) return { kind: "retry", waitMs };
  if (now >= untilMs) return { kind: "give_up" };
  return { kind: "retry", waitMs: Math.min(waitMs, untilMs - now) }; // the last attempt is at the end
}

/**
 * Lets go of a claim whose owner stops between two attempts, so that the next owner need not wait
 * for its lease. A ledger that is unavailable now lets go by itself when the lease ends.
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
