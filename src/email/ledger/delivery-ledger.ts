import type { ErrorRow } from "../../core/errors.ts";
import { errorMessage, InstantError, isInstantError } from "../../core/errors.ts";

/**
 * The delivery ledger: it remembers for 24 h what happened to each mail, and lets one owner at a time
 * work on it. Key `email:sent:<message_id>` (the guide).
 *
 * States and what leaves them (time is the store's own; every call is one atomic step):
 * - none: `claim` → claimed, unless the event is too old to know that it was never sent.
 * - claimed: its owner may renew, defer, move to submitting, or end it (rejected, expired,
 *   suppressed). After the lease, another `claim` takes it with fence + 1.
 * - submitting: written just before the content ends. Its owner may renew, ends it (accepted, rejected,
 *   ambiguous) or defers it back to claimed. After the lease, the next `claim` finds it ambiguous:
 *   nobody knows whether the server took the mail.
 * - accepted: final. rejected: given up, then `buried`; a replay may claim it anew. ambiguous: may be
 *   claimed once more for resubmission; once `buried` a person decides, and a replay may claim it.
 *   expired, suppressed: final.
 *
 * Promises, tested by `tests/contract/delivery-ledger.ts` for every adapter:
 * - Owner and fence are compared in the step that writes: a stale owner changes nothing. One
 *   exception: `accepted` with the server's reply is evidence and is recorded over any other state,
 *   flagged `late`.
 * - Each call may be repeated by the same owner (an answer was lost) and then has the same outcome.
 * - A record lives 24 h from its last change. One with `sent_at` and no `state` was written by the
 *   older service and counts as accepted.
 * - No full address is kept.
 * Left out on purpose: waiting, policy (the pipeline's), and any index of the mails; but what is
 * claimed is passed on to `RecentMails`, so that its entry leaves in the same write.
 */
export interface DeliveryLedger extends AsyncDisposable {
  /** "connected" | "disconnected" for a server; "embedded" for a file. Never blocks. */
  readonly connection: "connected" | "disconnected" | "embedded";
  /** Why the server itself says that it cannot be used, and the fix; undefined for other reasons. */
  readonly refusal: string | undefined;

  claim(request: ClaimRequest): Promise<ClaimOutcome>;
  /** Makes one change as the owner of `claim`. Throws `ledger_unavailable`. */
  advance(claim: Claim, change: LedgerChange): Promise<AdvanceOutcome>;
  /**
   * `claim` for each, in order, in one step where the records are as expected; the answers are in
   * order. One that the store did not answer for is its `ledger_unavailable`, whatever the others got.
   */
  claimAll(requests: readonly ClaimRequest[]): Promise<readonly Answered<ClaimOutcome>[]>;
  /** `advance` for each, in the same way. At most one step per mail. */
  advanceAll(steps: readonly LedgerStep[]): Promise<readonly Answered<AdvanceOutcome>[]>;
  /** Sets the position of a rejected or ambiguous mail's dead letter; the first one stays. */
  markBuried(messageId: string, position: BuriedPosition): Promise<void>;
  find(messageId: string): Promise<LedgerRecord | undefined>;
  /** About how many records there are: new ones in the last 24 h. Bounded time. */
  count(): Promise<number>;
  /** Throws `ledger_unavailable` when the store does not answer within `deadlineMs`. */
  ping(options: { readonly deadlineMs: number }): Promise<void>;
  close(): Promise<void>;
}

/**
 * Who works on a mail: `owner` is a random token of one delivery run, never shared by two runs (the
 * ledger takes a second claim by the same owner as the first one repeated, or as its next attempt);
 * `fence` grows with each new owner.
 */
export interface Claim {
  readonly messageId: string;
  readonly owner: string;
  readonly fence: number;
}

export interface ClaimRequest {
  readonly messageId: string;
  readonly owner: string;
  /** Keyed digest of type, recipient and data: the same id with another digest is a conflict. */
  readonly digest: string;
  readonly eventType: string;
  /** The record keeps it masked: `t***@example.com`. */
  readonly recipient: string;
  /** Unix ms; with the store's time it decides whether a record may have been forgotten. */
  readonly eventTimestamp: number;
  /** Undefined when the event came directly. */
  readonly origin: EventOrigin | undefined;
  /** From the record's replay header; 0 for an event that was never replayed. */
  readonly replayCount: number;
  readonly leaseMs: number;
  /** Takes an ambiguous mail for its one resubmission (the type's policy allows it). */
  readonly resubmit: boolean;
  /** The W3C trace id of what asked for the mail. */
  readonly traceId?: string | undefined;
}

export type ClaimOutcome =
  /** Ours. `attempts` were made before; `resubmission`: it may have been sent once already. */
  | {
      readonly kind: "claimed";
      readonly fence: number;
      readonly attempts: number;
      readonly replays: number;
      readonly resubmission: boolean;
    }
  /**
   * Another owner's, for `waitMs` more. `deferred`: nobody works on it; its next attempt is then, and
   * the first to claim it has it.
   */
  | {
      readonly kind: "leased";
      readonly state: "claimed" | "submitting";
      readonly waitMs: number;
      readonly deferred: boolean;
    }
  | { readonly kind: "accepted"; readonly sentAt: number }
  | {
      readonly kind: "rejected";
      readonly class: RejectedClass;
      readonly reason: string;
      readonly buried: BuriedPosition | undefined;
    }
  /**
   * `resubmittable`: its one resubmission was not used and no dead letter waits for a person; ask
   * again with `resubmit`.
   */
  | {
      readonly kind: "ambiguous";
      readonly resubmittable: boolean;
      readonly buried: BuriedPosition | undefined;
    }
  | { readonly kind: "expired" }
  | { readonly kind: "suppressed"; readonly reason: string }
  | { readonly kind: "id_conflict" }
  | { readonly kind: "too_old" };

export type RejectedClass = "refused" | "retries_exhausted" | "smtp_unavailable";

/** The SMTP server's answer. `reply` is at most 500 characters and has no full address. */
export interface SmtpEvidence {
  readonly host: string;
  readonly reply: string;
  readonly queueId: string | undefined;
}

export type LedgerChange =
  /**
   * The lease runs `leaseMs` from now, while the record is in `state` and was not deferred since: a
   * renewal that arrives late neither shortens a longer lease nor brings back one that was let go.
   */
  | {
      readonly kind: "renew";
      readonly state: "claimed" | "submitting";
      readonly leaseMs: number;
    }
  /** claimed → submitting. */
  | { readonly kind: "submitting"; readonly leaseMs: number }
  /** Any state → accepted; from a stale owner only with evidence, flagged `late`. */
  | { readonly kind: "accepted"; readonly smtp: SmtpEvidence }
  /**
   * claimed or submitting → claimed, after an attempt that certainly sent nothing. It counts where
   * `countsAttempt` is set, and once: a second deferral before the owner's next claim is the first one
   * repeated. `leaseMs` is the wait before the next attempt, also for other owners; 0 lets anyone
   * claim at once.
   */
  | {
      readonly kind: "deferred";
      readonly countsAttempt: boolean;
      readonly leaseMs: number;
      readonly reason: string;
    }
  | {
      readonly kind: "rejected";
      readonly class: RejectedClass;
      readonly reason: string;
      readonly smtp?: SmtpEvidence;
    }
  /** submitting → ambiguous. */
  | { readonly kind: "ambiguous"; readonly reason: string }
  /** claimed → expired. */
  | { readonly kind: "expired" }
  /** claimed → suppressed. */
  | { readonly kind: "suppressed"; readonly reason: string };

/** One change of one claim. */
export interface LedgerStep {
  readonly claim: Claim;
  readonly change: LedgerChange;
}

/** The answer to one of many calls; an error (`ledger_unavailable`) where there was none. */
export type Answered<Outcome> = Outcome | InstantError;

export type AdvanceOutcome =
  | { readonly kind: "done" }
  /** `accepted` was recorded by an owner that had been replaced. */
  | { readonly kind: "late" }
  /** Nothing was written: the claim is another's now, or the state does not allow the change. */
  | { readonly kind: "lost"; readonly state: LedgerState | "none" };

export const ledgerStates = [
  "claimed",
  "submitting",
  "accepted",
  "rejected",
  "ambiguous",
  "expired",
  "suppressed",
] as const;
export type LedgerState = (typeof ledgerStates)[number];

export interface BuriedPosition {
  readonly partition: number;
  readonly offset: number;
}

/** A place on the event log. */
export interface EventOrigin {
  readonly topic: string;
  readonly partition: number;
  readonly offset: number;
}

/** One mail as the ledger shows it. Times are Unix ms here, RFC 3339 in the stored JSON. */
export interface LedgerRecord {
  readonly messageId: string;
  readonly state: LedgerState;
  readonly fence: number;
  readonly owner: string;
  readonly leaseUntil: number;
  readonly attempts: number;
  readonly replays: number;
  readonly resubmissions: number;
  readonly digest: string;
  readonly eventType: string;
  readonly recipient: string;
  /** The event's own time; undefined in records of older versions. */
  readonly requestedAt: number | undefined;
  /** Of the delivery that claimed it last. */
  readonly origin: EventOrigin | undefined;
  readonly sentAt: number | undefined;
  readonly late: boolean;
  readonly class: string | undefined;
  readonly reason: string | undefined;
  readonly smtp: SmtpEvidence | undefined;
  readonly buried: BuriedPosition | undefined;
  /** The newest 20 changes, oldest first. */
  readonly history: readonly LedgerHistoryEntry[];
  /** The W3C trace id of the delivery that came first; undefined when it had none. */
  readonly traceId: string | undefined;
}

interface LedgerHistoryEntry {
  readonly at: number;
  readonly state: LedgerState;
  readonly fence: number;
  readonly note: string | undefined;
  /** On the last entry of each earlier owner; the newest owner is the record's. */
  readonly owner: string | undefined;
}

export const ledgerTtlMs = 24 * 60 * 60 * 1000;
/** An event older than this, without a record, may have been sent before the ledger forgot it. */
export const ledgerForgetsAfterMs = ledgerTtlMs - 60 * 60 * 1000;

export const ledgerErrors = {
  ledgerUnavailable: {
    code: "ledger_unavailable",
    meaning: "The delivery ledger did not answer",
    retryable: true,
    status: 503,
  },
} as const satisfies Record<string, ErrorRow>;

/** The answer of a batch of one. Throws its `ledger_unavailable`. */
export function answerOf<Outcome>(answers: readonly Answered<Outcome>[]): Outcome {
  const answer = answers[0] as Answered<Outcome>;
  if (answer instanceof InstantError) throw answer;
  return answer;
}

/** Any operating failure of an engine is `ledger_unavailable`; a bug stays a bug. */
export async function asLedgerError<T>(work: () => Promise<T>): Promise<T> {
  try {
    return await work();
  } catch (error) {
    throw isInstantError(error) ? unanswered(error) : error;
  }
}

/** Why a call of the ledger has no answer, as its own error. */
export function unanswered(cause: InstantError | undefined): InstantError {
  if (cause?.row === ledgerErrors.ledgerUnavailable) return cause;
  return new InstantError(ledgerErrors.ledgerUnavailable, {
    detail: cause === undefined ? "no answer" : errorMessage(cause),
    details: cause?.details ?? {},
    cause,
  });
}
