import { isAtLocalhost } from "../../core/email-address.ts";
import { isInstantError, unreachable } from "../../core/errors.ts";
import { currentTraceContext, logText } from "../../core/log.ts";
import type { EmailEvent } from "../event.ts";
import { decodeEmailEvent, isOptionalType } from "../event.ts";
import { eventDigest } from "../ledger/claim-rules.ts";
import type { ClaimOutcome, ClaimRequest } from "../ledger/delivery-ledger.ts";
import { ledgerErrors } from "../ledger/delivery-ledger.ts";
import type { SendOutcome } from "../mailer/mailer.ts";
import type { EventType } from "../mails/mail-types.tsx";
import type { SuppressRefused } from "../suppressions/suppression-store.ts";
import type { DeadLetterCause, DeliveryOutcome, DeliveryRun } from "./outcome.ts";
import { isExpired, lineOf, lineTextOf } from "./outcome.ts";
import type { GateAnswer, RecipientGate } from "./recipient-gate.ts";
import type { SentMail, SettlementDeps } from "./settlement.ts";
import {
  acceptance,
  claimLost,
  deadLetterClassOf,
  defer,
  deferForPreferences,
  deferForRate,
  deferForServer,
  deferRefusal,
  giveUp,
  release,
} from "./settlement.ts";
import type { SubmissionDeps } from "./submission.ts";
import { submit } from "./submission.ts";

export interface PipelineDeps extends SubmissionDeps, SettlementDeps {
  readonly gate: Pick<RecipientGate, "check" | "checkAll">;
  readonly suppressRefused: SuppressRefused;
  readonly settings: SettlementDeps["settings"] & {
    readonly digestSecret: string;
    /** In production. */
    readonly refusesLocalhost?: boolean;
    /** Types that are sent once more when the answer after the content was lost. */
    readonly resendAmbiguous: ReadonlySet<EventType>;
  };
}

interface RunContext {
  readonly signal: AbortSignal;
  /** See `SendOptions`. */
  readonly evenIfDown?: boolean;
  /** Called when the server has all of the mail but the final dot, which follows. */
  readonly onContentEnds?: () => void;
}

export type Pipeline = (run: DeliveryRun, context: RunContext) => Promise<DeliveryOutcome>;

/**
 * The path of one mail: decode → claim → expired? suppressed? → render and submit → record; a call is
 * one attempt. Every branch is in this file; `settlement.ts` has the steps that follow a mail that was
 * not accepted. It decides and never waits: its outcome tells the worker, or the direct path, what to
 * do. It throws `signal.reason` when it was aborted, and otherwise only for programmer errors.
 */
export function createPipeline(deps: PipelineDeps): Pipeline {
  return async function runPipeline(run, context) {
    const event = run.event ?? consume(deps, run);
    if ("kind" in event) return event;
    const { signal } = context;
    try {
      const gateCheck = deps.gate.check(event); // while the ledger is asked, not after it
      const claimed = await deps.ledger.claim(claimRequest(deps, run, event));
      if (claimed.kind !== "claimed") return unclaimed(deps, event, claimed);
      return await deliver(deps, { run, event, context, gateCheck }, claimed);
    } catch (error) {
      signal.throwIfAborted();
      if (!isInstantError(error, ledgerErrors.ledgerUnavailable)) throw error;
      return { kind: "ledger_unavailable", reason: error.message };
    }
  };
}

/** The event of a run's first attempt; later ones find it in the run. */
export function consume(deps: PipelineDeps, run: DeliveryRun): EmailEvent | DeliveryOutcome {
  if (run.unread !== undefined) {
    return deadLetter({ class: "malformed", reason: run.unread, messageId: undefined });
  }
  const decoded = decodeEmailEvent(run.value);
  if (decoded.kind === "poison") return deadLetter(decoded);
  const { messageId, recipient } = decoded.event;
  if (deps.settings.refusesLocalhost && isAtLocalhost(recipient)) {
    const reason = "recipient must not be at localhost, because APP_ENV is production";
    return deadLetter({ class: "malformed", reason, messageId });
  }
  run.event = decoded.event;
  const { origin, trace = currentTraceContext() } = run;
  const place =
    origin === undefined
      ? `"direct":true`
      : `"partition":${origin.partition},"offset":${origin.offset}`;
  const fields = `${lineTextOf(run, decoded.event)},${place}`;
  logText(deps.log, fields, "Email event consumed", trace);
  return decoded.event;
}

export function claimRequest(
  { settings, clock, leases }: PipelineDeps,
  { owner, origin, replayCount, trace = currentTraceContext() }: DeliveryRun,
  event: EmailEvent,
): ClaimRequest {
  return {
    messageId: event.messageId,
    owner,
    digest: eventDigest(settings.digestSecret, event),
    eventType: event.eventType,
    recipient: event.recipient,
    eventTimestamp: event.timestamp,
    origin,
    replayCount,
    leaseMs: leases.leaseMs,
    traceId: trace?.traceId,
    resubmit: settings.resendAmbiguous.has(event.eventType) && !isExpired(event, clock.now()),
  };
}

export function unclaimed(
  { clock, log }: PipelineDeps,
  event: EmailEvent,
  claimed: Exclude<ClaimOutcome, { kind: "claimed" }>,
): DeliveryOutcome {
  const { messageId } = event;
  switch (claimed.kind) {
    case "leased":
      return { kind: "leased", waitMs: claimed.waitMs, deferred: claimed.deferred };
    case "accepted":
      log.warn(lineOf(event), "Duplicate email event detected, skipping");
      return { kind: "duplicate" };
    case "expired":
      return { kind: "expired" };
    case "suppressed":
      return { kind: "suppressed", reason: claimed.reason };
    case "rejected": {
      if (claimed.buried !== undefined) return { kind: "buried_before" };
      const { reason } = claimed;
      return deadLetter({ class: deadLetterClassOf(claimed.class), reason, messageId }, true);
    }
    case "ambiguous": {
      if (claimed.buried !== undefined) return { kind: "buried_before" };
      const reason = "the server's answer after the content was lost; it may have been sent";
      return deadLetter({ class: "ambiguous", reason, messageId }, true);
    }
    case "id_conflict": {
      const reason = "another mail with this message_id is known";
      return deadLetter({ class: "id_conflict", reason, messageId });
    }
    case "too_old": {
      if (isExpired(event, clock.now())) return { kind: "expired" };
      const reason = "older than the ledger's memory: it may have been sent before";
      return deadLetter({ class: "too_old", reason, messageId });
    }
    default:
      return unreachable(claimed);
  }
}

interface Delivery {
  readonly run: DeliveryRun;
  readonly event: EmailEvent;
  readonly context: RunContext;
  readonly gateCheck: Promise<GateAnswer> | GateAnswer;
}

/** The rest of an attempt, once the mail is claimed. */
export async function deliver(
  deps: PipelineDeps,
  { run, event, context, gateCheck }: Delivery,
  { fence, attempts }: Extract<ClaimOutcome, { kind: "claimed" }>,
): Promise<DeliveryOutcome> {
  const claim = { messageId: event.messageId, owner: run.owner, fence };
  run.claim = claim;
  if (isExpired(event, deps.clock.now())) {
    const outcome = await deps.ledger.advance(claim, { kind: "expired" });
    if (outcome.kind !== "done") return claimLost;
    deps.log.info(lineOf(event), "Email event expired, not sent");
    return { kind: "expired" };
  }
  const gateAnswer = await gateCheck;
  if (gateAnswer.kind === "suppressed") {
    const { reason } = gateAnswer;
    const outcome = await deps.ledger.advance(claim, { kind: "suppressed", reason });
    if (outcome.kind !== "done") return claimLost;
    deps.log.info({ ...lineOf(event), reason }, "Email suppressed, not sent");
    return { kind: "suppressed", reason };
  }
  const mail = { event, claim, attempts, retryingSince: run.replayedAt ?? event.timestamp };
  // A code is not held back for this: somebody waits for it, and most likely wants it.
  if (gateAnswer.kind === "unavailable" && isOptionalType(event.eventType)) {
    return deferForPreferences(deps, mail, gateAnswer.reason);
  }
  const sent = run.refusal ?? (await submit(deps, claim, event, context));
  return settle(deps, run, mail, sent, context.signal);
}

/**
 * So many refusals of one mail are believed, by servers that accepted other mails in between: they
 * were the server's fault at most twice.
 */
const refusalsMax = 3;

/** What the mailer's outcome means for the mail; everything that is known by now is written. */
export async function settle(
  deps: PipelineDeps,
  run: DeliveryRun,
  mail: SentMail,
  sent: SendOutcome,
  signal: AbortSignal,
): Promise<DeliveryOutcome> {
  const { claim, event } = mail;
  switch (sent.kind) {
    case "accepted": {
      const { host, queueId } = sent;
      deps.log.info({ ...lineOf(event), smtpHost: host, queueId }, "Email sent successfully");
      await deps.record(claim, acceptance(sent));
      deps.log.info(lineOf(event), "Marked email as processed");
      return { kind: "accepted" };
    }
    case "refused": {
      run.refusals += 1;
      if (sent.confirmation !== undefined && run.refusal === undefined) {
        if (run.refusals < refusalsMax) return deferRefusal(deps, mail, sent, sent.confirmation);
      }
      const { host, reply } = sent;
      const smtp = { host, reply, queueId: undefined };
      const reason = `${sent.stage} refused: ${reply}`;
      await deps.suppressRefused(event, sent);
      return giveUp(deps, mail, { kind: "rejected", class: "refused", reason, smtp });
    }
    case "deferred":
      return defer(deps, mail, {
        cause: "deferred",
        reason: `${sent.stage} deferred: ${sent.reply}`,
        retryAfterMs: sent.retryAfterMs,
        givenUpAs: "retries_exhausted",
      });
    case "throttled":
      return deferForRate(deps, mail, sent);
    case "server_down":
      return deferForServer(deps, mail, sent);
    case "lost": {
      run.losses += 1;
      const { reason } = sent;
      if (run.losses === 1) return release(deps, claim, { reason, cause: "lost", waitMs: 0 });
      const probed = await deps.mailer.probe(signal);
      if (probed.kind === "server_down") return deferForServer(deps, mail, probed);
      const givenUpAs = "retries_exhausted";
      return defer(deps, mail, { cause: "lost", reason, retryAfterMs: undefined, givenUpAs });
    }
    case "ambiguous":
      deps.log.warn({ ...lineOf(event), reason: sent.reason }, "Answer lost after the content");
      await deps.record(claim, { kind: "ambiguous", reason: sent.reason });
      return { kind: "retry", waitMs: 0, cause: "ambiguous" };
    case "withheld": {
      const { waitMs } = claimLost;
      const released = await release(deps, claim, {
        reason: "withheld",
        cause: "withheld",
        waitMs,
      });
      signal.throwIfAborted();
      return released;
    }
    default:
      return unreachable(sent);
  }
}

/** Without an attempt of this run. */
function deadLetter(
  { class: name, reason, messageId }: Pick<DeadLetterCause, "class" | "reason" | "messageId">,
  inLedger = false,
): DeliveryOutcome {
  const cause = { class: name, reason, messageId, attempts: 0, inLedger };
  return { kind: "dead_letter", deadLetter: cause };
}
