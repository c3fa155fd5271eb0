import type { LedgerRecord } from "../../src/email/ledger/delivery-ledger.ts";
import type { LedgerAnswer, LedgerCall } from "./delivery-ledger-owner.ts";

interface Step {
  readonly before: LedgerRecord | undefined;
  readonly after: LedgerRecord | undefined;
  readonly call: LedgerCall;
  readonly answer: LedgerAnswer;
  /** The store's time when the call began: it was made then or later. */
  readonly startedAt: number;
}

/** What no step of anybody may do to a record. Throws what was broken. */
export function checkStep(step: Step): void {
  const { before, after } = step;
  if (after === undefined) throw new Error("the record is gone");
  if (after.history.length > 20) throw new Error("the history is too long");
  if (before === undefined) return;
  if (after.fence < before.fence) throw new Error("the fence went back");
  if (after.fence > before.fence + 1) throw new Error("the fence skipped one");
  checkLease(step, before, after);
  checkFinal(step, before, after);
  checkResubmission(step, before, after);
  const buried = JSON.stringify(before.buried);
  if (
    before.buried !== undefined &&
    buried !== JSON.stringify(after.buried) &&
    !isReplay(step, before)
  ) {
    throw new Error("the place of the dead letter changed");
  }
}

/** The same call made again, with nothing written in between, says the same. */
export function checkRepeat(first: LedgerAnswer, second: LedgerAnswer): void {
  const [one, two] = [first, second].map((answer) =>
    JSON.stringify(answer, (key, value) => (key === "waitMs" ? undefined : value)),
  );
  const heldUntilNow = typeof first === "object" && first.kind === "leased";
  if (one !== two && !heldUntilNow) throw new Error(`it said ${one}, and again: ${two}`);
}

/** While a lease lives, nobody but its owner changes the mail (late acceptance is evidence). */
function checkLease({ call, startedAt }: Step, before: LedgerRecord, after: LedgerRecord): void {
  if (before.state !== "claimed" && before.state !== "submitting") return;
  if (JSON.stringify(before) === JSON.stringify(after)) return;
  const isAcceptance = call.kind === "advance" && call.change.kind === "accepted";
  if (isAcceptance || callerOf(call) === before.owner) return;
  const changedAt = after.history.at(-1)?.at ?? startedAt;
  if (changedAt < before.leaseUntil) {
    throw new Error(`${callerOf(call)} changed it in the lease of ${before.owner}`);
  }
}

function checkFinal(step: Step, before: LedgerRecord, after: LedgerRecord): void {
  const { state } = before;
  if (after.state === state || state === "claimed" || state === "submitting") return;
  const isLate = after.state === "accepted" && after.late && state !== "accepted";
  if (isLate || (state !== "accepted" && isReplay(step, before))) return;
  if (state === "ambiguous" && isResubmission(step, before)) return;
  throw new Error(`${state} was lost: it is ${after.state}`);
}

function checkResubmission(step: Step, before: LedgerRecord, after: LedgerRecord): void {
  if (after.resubmissions === before.resubmissions) return;
  if (isReplay(step, before) && after.resubmissions === before.resubmissions + 1) return;
  if (!isResubmission(step, before) || before.resubmissions !== 0 || after.resubmissions !== 1) {
    throw new Error(`resubmitted ${after.resubmissions} times`);
  }
}

function isReplay({ call }: Step, before: LedgerRecord): boolean {
  const isParked = before.state === "ambiguous" && before.buried !== undefined;
  const reopens = before.state === "rejected" || isParked;
  return call.kind === "claim" && reopens && call.request.replayCount > before.replays;
}

function isResubmission({ call }: Step, before: LedgerRecord): boolean {
  return call.kind === "claim" && call.request.resubmit && before.buried === undefined;
}

function callerOf(call: LedgerCall): string {
  if (call.kind === "claim") return call.request.owner;
  return call.kind === "advance" ? call.claim.owner : "who buries";
}
