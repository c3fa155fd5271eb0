import { isInstantError, unreachable } from "../../core/errors.ts";
import type { EmailEvent } from "../event.ts";
import { decodeEmailEvent, isOptionalType } from "../event.ts";
import type { ClaimOutcome } from "../ledger/delivery-ledger.ts";
import { ledgerErrors } from "../ledger/delivery-ledger.ts";
import type { SendOutcome } from "../mailer/mailer.ts";
import type { RecentMails } from "../recent-mails/recent-mails.ts";
import type { SuppressRefused } from "../suppressions/suppression-store.ts";
import type { ClaimSettings } from "./claim-request.ts";
import { claimRequest, isExpired } from "./claim-request.ts";
import type { DeliveryOutcome, DeliveryRun } from "./outcome.ts";
import { lineOf, placeOf } from "./outcome.ts";
import type { GateAnswer, RecipientGate } from "./recipient-gate.ts";
import type { SentMail, SettlementDeps } from "./settlement.ts";
import {
  deadLetter,
  deadLetterClassOf,
  defer,
  deferForPreferences,
  deferForRate,
  deferForServer,
  deferRefusal,
  giveUp,
  lostWaitMs,
  release,
} from "./settlement.ts";
import type { SubmissionDeps } from "./submission.ts";
import { submit } from "./submission.ts";

interface PipelineDeps extends SubmissionDeps, SettlementDeps {
  readonly gate: Pick<RecipientGate, "check">;
  readonly recentMails: Pick<RecentMails, "add">;
  readonly suppressRefused: SuppressRefused;
  readonly settings: SubmissionDeps["settings"] & SettlementDeps["settings"] & ClaimSettings;
}

interface RunContext {
  readonly signal: AbortSignal;
  /** See `SendOptions`. */
  readonly evenIfDown?: boolean;
}

export type Pipeline = (run: DeliveryRun, context: RunContext) => Promise<DeliveryOutcome>;

/**
 * The path of one mail: decode → claim → expired, suppressed? → render → submit → record. Every branch of it
 * stands in this file. It decides and never waits: its outcome says what to do. It throws
 * `signal.reason` when it was aborted, and else only for programmer errors.
 */
export function createPipeline(deps: PipelineDeps): Pipeline {
  return async (run, context) => {
    if (run.unread !== undefined) {
      const cause = { class: "malformed", reason: run.unread, messageId: undefined } as const;
      return deadLetter({ ...cause, attempts: 0, inLedger: false });
    }
    const decoded = decodeEmailEvent(run.value);
    if (decoded.kind === "poison") {
      return deadLetter({ ...decoded, attempts: 0, inLedger: false });
    }
    const { event } = decoded;
    const line = lineOf(event);
    const announced = run.event !== undefined;
    run.event = event;
    if (!announced) deps.log.info({ ...line, ...placeOf(run.origin) }, "Email event consumed");
    try {
      const gateCheck = deps.gate.check(event); // while the ledger is asked, not after it
      deps.recentMails.add(event.recipient, event.messageId);
      const claimed = await deps.ledger.claim(claimRequest(deps, run, event));
      return await afterClaim(deps, { run, event, line, context, gateCheck }, claimed);
    } catch (error) {
      context.signal.throwIfAborted();
      if (!isInstantError(error, ledgerErrors.ledgerUnavailable)) throw error;
      return { kind: "ledger_unavailable", reason: error.message };
    }
  };
}

interface Delivery {
  readonly run: DeliveryRun;
  readonly event: EmailEvent;
  /** The fields of its log lines. */
  readonly line: ReturnType<typeof lineOf>;
  readonly context: RunContext;
  readonly gateCheck: Promise<GateAnswer>;
}

async function afterClaim(
  deps: PipelineDeps,
  delivery: Delivery,
  claimed: ClaimOutcome,
): Promise<DeliveryOutcome> {
  const { event, line } = delivery;
  const messageId = event.messageId;
  switch (claimed.kind) {
    case "claimed":
      return deliverClaimed(deps, delivery, claimed);
    case "leased":
      return { kind: "leased", waitMs: claimed.waitMs, deferred: claimed.deferred };
    case "accepted":
      deps.log.warn(line, "Duplicate email event detected, skipping");
      return { kind: "duplicate" };
    case "expired":
      return { kind: "expired" };
    case "suppressed":
      return { kind: "suppressed", reason: claimed.reason };
    case "rejected": {
      if (claimed.buried !== undefined) return { kind: "buried_before" };
      const { reason } = claimed;
      return deadLetter({
        class: deadLetterClassOf(claimed.class),
        reason,
        messageId,
        attempts: 0,
        inLedger: true,
      });
    }
    case "ambiguous": {
      if (claimed.buried !== undefined) return { kind: "buried_before" };
      const reason = "the server's answer after the content was lost; it may have been sent";
      return deadLetter({ class: "ambiguous", reason, messageId, attempts: 0, inLedger: true });
    }
    case "id_conflict": {
      const reason = "another mail with this message_id is known";
      return deadLetter({ class: "id_conflict", reason, messageId, attempts: 0, inLedger: false });
    }
    case "too_old": {
      if (isExpired(deps.clock, event)) return { kind: "expired" };
      const reason = "older than the ledger's memory: it may have been sent before";
      return deadLetter({ class: "too_old", reason, messageId, attempts: 0, inLedger: false });
    }
    default:
      return unreachable(claimed);
  }
}

async function deliverClaimed(
  deps: PipelineDeps,
  delivery: Delivery,
  claimed: Extract<ClaimOutcome, { kind: "claimed" }>,
): Promise<DeliveryOutcome> {
  const { run, event, line, context } = delivery;
  const claim = { messageId: event.messageId, owner: run.owner, fence: claimed.fence };
  run.claim = claim;
  if (isExpired(deps.clock, event)) {
    const outcome = await deps.ledger.advance(claim, { kind: "expired" });
    if (outcome.kind !== "done") return { kind: "leased", waitMs: lostWaitMs };
    deps.log.info(line, "Email event expired, not sent");
    return { kind: "expired" };
  }
  const retryingSince = run.replayedAt ?? event.timestamp;
  const mail = { event, claim, attempts: claimed.attempts, retryingSince };
  const gateAnswer = await delivery.gateCheck;
  if (gateAnswer.kind === "suppressed") {
    const { reason } = gateAnswer;
    const outcome = await deps.ledger.advance(claim, { kind: "suppressed", reason });
    if (outcome.kind !== "done") return { kind: "leased", waitMs: lostWaitMs };
    deps.log.info({ ...line, reason }, "Email suppressed, not sent");
    return { kind: "suppressed", reason };
  }
  // A code is waited for, and its recipient most likely wants it: it does not wait for the answer.
  if (gateAnswer.kind === "unavailable" && isOptionalType(event.eventType)) {
    return deferForPreferences(deps, mail, gateAnswer.reason);
  }
  const sent = run.refusal ?? (await submit(deps, claim, event, context));
  return afterSend(deps, delivery, mail, sent);
}

/**
 * So many refusals of one mail are believed, by servers that took other mails between: they were
 * the server's fault at most twice.
 */
const refusalsMax = 3;

async function afterSend(
  deps: PipelineDeps,
  { run, line, context }: Delivery,
  mail: SentMail,
  sent: SendOutcome,
): Promise<DeliveryOutcome> {
  const { claim, event } = mail;
  switch (sent.kind) {
    case "accepted": {
      const { host, reply, queueId } = sent;
      deps.log.info({ ...line, smtpHost: host, queueId }, "Email sent successfully");
      await deps.record(claim, { kind: "accepted", smtp: { host, reply, queueId } });
      deps.log.info(line, "Marked email as processed");
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
      const probed = run.losses > 1 ? await deps.mailer.probe(context.signal) : undefined;
      if (probed?.kind === "server_down") return deferForServer(deps, mail, probed);
      const { reason } = sent;
      if (probed === undefined) return release(deps, claim, { reason, why: "lost" });
      const givenUpAs = "retries_exhausted";
      return defer(deps, mail, { cause: "lost", reason, retryAfterMs: undefined, givenUpAs });
    }
    case "ambiguous":
      deps.log.warn({ ...line, reason: sent.reason }, "Answer lost after the content");
      await deps.record(claim, { kind: "ambiguous", reason: sent.reason });
      return { kind: "retry", waitMs: 0, cause: "ambiguous" };
    case "withheld": {
      const outcome = await release(deps, claim, { reason: "withheld", why: "withheld" });
      context.signal.throwIfAborted();
      return outcome;
    }
    default:
      return unreachable(sent);
  }
}
