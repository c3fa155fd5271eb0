import { unreachable } from "../../core/errors.ts";
import type {
  AdvanceOutcome,
  BuriedPosition,
  Claim,
  LedgerChange,
  LedgerState,
  LedgerStep,
  SmtpEvidence,
} from "./delivery-ledger.ts";
import type { Decision, LedgerRules, StoredRecord } from "./record.ts";
import {
  amend,
  answer,
  blankRecord,
  boundedEvidence,
  boundedNote,
  boundedText,
  transition,
  withHistory,
} from "./record.ts";

/**
 * What an owner may make of its claim: the rules of `advance`, the same for every store. Owner and
 * fence decide, not the lease: an owner that nobody replaced goes on after it. Pure.
 */
export function decideAdvance(
  record: StoredRecord | undefined,
  claim: Claim,
  change: LedgerChange,
  now: number,
): Decision<AdvanceOutcome> {
  if (change.kind === "accepted") return decideAcceptance(record, claim, change.smtp, now);
  if (record === undefined) return answer({ kind: "lost", state: "none" });
  if (!isOwner(record, claim)) return lost(record);
  switch (change.kind) {
    case "renew":
      return record.state === change.state && !record.waiting
        ? done(amend(record, lease(change, now)))
        : lost(record);
    case "submitting":
      return submitting(record, change, now);
    case "deferred":
      return deferred(record, change, now);
    case "rejected":
    case "ambiguous":
    case "expired":
    case "suppressed":
      return ended(record, change, now);
    default:
      return unreachable(change);
  }
}

/** The position of the dead letter of a mail that was given up; the first one stays. */
function decideBuried(
  record: StoredRecord | undefined,
  buried: BuriedPosition,
  now: number,
): Decision<void> {
  if (record === undefined || record.buried !== undefined) return answer(undefined);
  const { state } = record;
  if (state !== "rejected" && state !== "ambiguous") return answer(undefined);
  const note = `buried in partition ${buried.partition} at offset ${buried.offset}`;
  const write = transition(record, state, { at: now, note, patch: { buried } });
  return { write, outcome: undefined };
}

export const stepRules: LedgerRules<LedgerStep, AdvanceOutcome> = {
  idOf: ({ claim }) => claim.messageId,
  decide: (record, { claim, change }, now) => decideAdvance(record, claim, change, now),
};

export function burialRules(messageId: string): LedgerRules<BuriedPosition, void> {
  return { idOf: () => messageId, decide: decideBuried };
}

export function isOwner(record: StoredRecord, claim: Claim): boolean {
  return record.owner === claim.owner && record.fence === claim.fence;
}

export function isOpen(record: StoredRecord): boolean {
  return record.state === "claimed" || record.state === "submitting";
}

const claimsMax = 10_000;

/**
 * Open claims of this process as it wrote them last, so that a store need not read, or decode, what
 * is most likely still so. The oldest is forgotten beyond 10,000.
 */
export class OwnClaims<Written extends { readonly record: StoredRecord }> {
  /**
   * Boxes, emptied when they are removed: each time that a Map grows or shrinks, JavaScriptCore leaves
   * its former table to the garbage collector, linked to the next. Those links would keep most records
   * until the next full collection.
   */
  readonly #claims = new Map<string, { written: Written | undefined }>();

  find(messageId: string): Written | undefined {
    return this.#claims.get(messageId)?.written;
  }

  /** Forgets a mail that is no longer open. */
  keep(written: Written): void {
    const { record } = written;
    const box = this.#claims.get(record.messageId);
    if (!isOpen(record)) this.#forget(record.messageId);
    else if (box !== undefined) box.written = written;
    else {
      this.#claims.set(record.messageId, { written });
      if (this.#claims.size > claimsMax) this.#forgetOldest();
    }
  }

  #forgetOldest(): void {
    for (const oldest of this.#claims.keys()) {
      this.#forget(oldest);
      break;
    }
  }

  #forget(messageId: string): void {
    const box = this.#claims.get(messageId);
    if (box === undefined) return;
    box.written = undefined;
    this.#claims.delete(messageId);
  }
}

function done(write: StoredRecord): Decision<AdvanceOutcome> {
  return { write, outcome: { kind: "done" } };
}

type Change<K extends LedgerChange["kind"]> = Extract<LedgerChange, { readonly kind: K }>;
type Ending = Change<"rejected" | "ambiguous" | "expired" | "suppressed">;

function submitting(record: StoredRecord, change: Change<"submitting">, now: number) {
  const patch = { ...lease(change, now), waiting: false };
  if (record.state === "submitting") return done(amend(record, patch));
  if (record.state !== "claimed") return lost(record);
  return done(transition(record, "submitting", { at: now, patch }));
}

/** Each attempt begins with a claim, so a second deferral without one is the first one repeated. */
function deferred(record: StoredRecord, change: Change<"deferred">, now: number) {
  if (!isOpen(record)) return lost(record);
  const patch = lease(change, now);
  if (record.waiting) return done(amend(record, patch));
  const attempts = record.attempts + (change.countsAttempt ? 1 : 0);
  return done(
    transition(record, "claimed", {
      at: now,
      note: boundedNote(change.reason),
      patch: { ...patch, attempts, waiting: true },
    }),
  );
}

const endsFrom: Readonly<Record<Ending["kind"], readonly LedgerState[]>> = {
  rejected: ["claimed", "submitting"],
  ambiguous: ["submitting"],
  expired: ["claimed"],
  suppressed: ["claimed"],
};

function ended(record: StoredRecord, change: Ending, now: number): Decision<AdvanceOutcome> {
  if (record.state === change.kind) return answer({ kind: "done" });
  if (!endsFrom[change.kind].includes(record.state)) return lost(record);
  const reason = "reason" in change ? boundedText(change.reason) : undefined;
  const rejectedClass = change.kind === "rejected" ? change.class : undefined;
  const evidence = change.kind === "rejected" ? change.smtp : undefined;
  const smtp = evidence === undefined ? record.smtp : boundedEvidence(evidence);
  const note = [rejectedClass, reason].filter((part) => part !== undefined).join(": ");
  return done(
    transition(record, change.kind, {
      at: now,
      note: note === "" ? undefined : boundedNote(note),
      patch: { leaseUntil: now, waiting: false, class: rejectedClass, reason, smtp },
    }),
  );
}

function lease(change: { readonly leaseMs: number }, now: number) {
  return { leaseUntil: now + change.leaseMs };
}

function lost(record: StoredRecord): Decision<AdvanceOutcome> {
  return answer({ kind: "lost", state: record.state });
}

/**
 * The server accepted the mail, and its reply is the proof: it is recorded whatever the ledger has by
 * now. From the owner in claimed or submitting it is `done`, else `late`: over another owner's work
 * (which is lost by that), over a state that gave the mail up, over no record at all (a Redis that
 * came back empty), and, as an entry in the history, over another acceptance.
 */
function decideAcceptance(
  record: StoredRecord | undefined,
  claim: Claim,
  evidence: SmtpEvidence,
  now: number,
): Decision<AdvanceOutcome> {
  const smtp = boundedEvidence(evidence);
  if (record === undefined) return late(withLateNote(forgotten(claim, smtp, now), claim, now));
  const own = isOwner(record, claim);
  if (record.state === "accepted") {
    if (own && !record.late) return answer({ kind: "done" });
    if (hasAcceptanceOf(record, claim)) return answer({ kind: "late" });
    return late(withLateNote(amend(record, {}), claim, now, `accepted again: ${smtp.reply}`));
  }
  const patch = { leaseUntil: now, waiting: false, sentAt: now, smtp };
  if (own && isOpen(record)) {
    const write = transition(record, "accepted", { at: now, patch });
    return { write, outcome: { kind: "done" } };
  }
  return late(acceptedOver(record, claim, patch, now));
}

/** Owner and fence stay as they are; the history has whose acceptance it was. */
function acceptedOver(
  record: StoredRecord,
  claim: Claim,
  patch: Pick<StoredRecord, "leaseUntil" | "waiting" | "sentAt" | "smtp">,
  now: number,
): StoredRecord {
  const given = { ...patch, late: true, class: undefined, reason: undefined };
  const accepted: StoredRecord = { ...amend(record, given), state: "accepted" };
  return withLateNote(accepted, claim, now, `late, over ${record.state}`);
}

/** What can still be recorded when the record itself is gone. */
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
  const entry = { at: now, state: "accepted", fence, note: boundedNote(note) } as const;
  return withHistory(record, owner === record.owner ? entry : { ...entry, owner });
}

function hasAcceptanceOf(record: StoredRecord, claim: Claim): boolean {
  return record.history.some(({ state, fence }) => state === "accepted" && fence === claim.fence);
}

function late(write: StoredRecord): Decision<AdvanceOutcome> {
  return { write, outcome: { kind: "late" } };
}
