import { boundedEvidence, boundedNote } from "./bounded-text.ts";
import type { AdvanceOutcome, Claim, SmtpEvidence } from "./delivery-ledger.ts";
import type { Decision, StoredRecord } from "./stored-record.ts";
import { answer, blankRecord, transition, withHistory } from "./stored-record.ts";

/**
 * The server took the mail, and its reply is the proof: it is recorded whatever the ledger says
 * meanwhile. From the owner in claimed or submitting it is `done`, else `late`: over another
 * owner's work (which is lost by that), over a state that gave the mail up, over no record at all
 * (a Redis that came back empty), and, as a line of the history, over another acceptance.
 */
export function decideAcceptance(
  record: StoredRecord | undefined,
  claim: Claim,
  evidence: SmtpEvidence,
  now: number,
): Decision<AdvanceOutcome> {
  const smtp = boundedEvidence(evidence);
  if (record === undefined) return late(withLateNote(forgotten(claim, smtp, now), claim, now));
  const own = record.owner === claim.owner && record.fence === claim.fence;
  if (record.state === "accepted") {
    if (own && !record.late) return answer({ kind: "done" });
    if (hasAcceptanceOf(record, claim)) return answer({ kind: "late" });
    const revised = { ...record, revision: record.revision + 1 };
    return late(withLateNote(revised, claim, now, `accepted again: ${smtp.reply}`));
  }
  const patch = { leaseUntil: now, waiting: false, sentAt: now, smtp };
  if (own && (record.state === "claimed" || record.state === "submitting")) {
    const write = transition(record, "accepted", { at: now, patch });
    return { write, outcome: { kind: "done" } };
  }
  return late(acceptedOver(record, claim, patch, now));
}

/** Owner and fence stay as they are; the history says whose acceptance it was. */
function acceptedOver(
  record: StoredRecord,
  claim: Claim,
  patch: Pick<StoredRecord, "leaseUntil" | "waiting" | "sentAt" | "smtp">,
  now: number,
): StoredRecord {
  const accepted: StoredRecord = {
    ...record,
    ...patch,
    state: "accepted",
    revision: record.revision + 1,
    late: true,
    class: undefined,
    reason: undefined,
  };
  return withLateNote(accepted, claim, now, `late, over ${record.state}`);
}

/** What is left to say when the record itself is gone. */
function forgotten(claim: Claim, smtp: SmtpEvidence, now: number): StoredRecord {
  const { messageId, owner, fence } = claim;
  return {
    ...blankRecord(messageId),
    state: "accepted",
    fence,
    owner,
    revision: 1,
    leaseUntil: now,
    sentAt: now,
    late: true,
    smtp,
  };
}

function withLateNote(record: StoredRecord, claim: Claim, now: number, note = "late, no record") {
  const { fence, owner } = claim;
  const whose = owner === record.owner ? {} : { owner };
  const entry = { at: now, state: "accepted", fence, note: boundedNote(note), ...whose } as const;
  return withHistory(record, entry);
}

function hasAcceptanceOf(record: StoredRecord, claim: Claim): boolean {
  return record.history.some(({ state, fence }) => state === "accepted" && fence === claim.fence);
}

function late(write: StoredRecord): Decision<AdvanceOutcome> {
  return { write, outcome: { kind: "late" } };
}
