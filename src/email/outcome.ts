import type { RefusedMail, ServerDown } from "./mailer/mailer.ts";
import type { RefusalVerdict } from "./mailer/server-streak.ts";

/**
 * What one run of the pipeline made of one event. The pipeline decides; the worker and the direct
 * path act on it: commit, wait and run again, pause, or bury.
 */
export type DeliveryOutcome =
  /** Finished: the record may be committed. */
  | { readonly kind: "accepted" }
  | { readonly kind: "duplicate" }
  | { readonly kind: "expired" }
  | { readonly kind: "suppressed"; readonly reason: string }
  | { readonly kind: "buried_before" }
  /** Another owner works on it: look again after `waitMs`; `deferred`: its next try is then. */
  | { readonly kind: "held"; readonly waitMs: number; readonly deferred?: boolean }
  /** Not now: run again after `waitMs`, in this lane. */
  | {
      readonly kind: "retry";
      readonly waitMs: number;
      readonly why: RetryCause;
      /** What the server, or we, said of it. */
      readonly reason?: string;
    }
  /** The SMTP server, not the message. Run again when it is back, or at `untilMs` (Unix ms). */
  | { readonly kind: "server_down"; readonly down: ServerDown; readonly untilMs: number }
  /** Refused, perhaps by the server's fault: run again when the verdict is known. */
  | {
      readonly kind: "unconfirmed";
      readonly refusal: RefusedMail;
      readonly verdict: Promise<RefusalVerdict>;
    }
  /** The ledger does not answer: nothing was sent, nothing may be committed. */
  | { readonly kind: "ledger_away"; readonly reason: string }
  /** Given up: bury it, then commit. */
  | { readonly kind: "dead_letter"; readonly letter: DeadLetterCause };

type OutcomeOf<K extends DeliveryOutcome["kind"]> = Extract<DeliveryOutcome, { kind: K }>;
export type FinishedOutcome = OutcomeOf<
  "accepted" | "duplicate" | "expired" | "suppressed" | "buried_before"
>;
export type WaitingOutcome = OutcomeOf<
  "held" | "retry" | "server_down" | "unconfirmed" | "ledger_away"
>;

const finishedKinds: ReadonlySet<DeliveryOutcome["kind"]> = new Set<FinishedOutcome["kind"]>([
  "accepted",
  "duplicate",
  "expired",
  "suppressed",
  "buried_before",
]);

/** Whether the record may be committed as it is. */
export function isFinished(outcome: DeliveryOutcome): outcome is FinishedOutcome {
  return finishedKinds.has(outcome.kind);
}

export type RetryCause =
  | "deferred"
  | "throttled"
  | "lost"
  | "ambiguous"
  | "withheld"
  | "preferences_away";

export interface DeadLetterCause {
  readonly class: DeadLetterClass;
  /** For a person; bounded, holds no code and no full address. */
  readonly reason: string;
  readonly messageId: string | undefined;
  readonly attempts: number;
  /** The ledger holds this mail as given up and wants to know where its letter lies. */
  readonly inLedger: boolean;
}

export const deadLetterClasses = [
  "malformed",
  "invalid_data",
  "unknown_type",
  "id_conflict",
  "too_old",
  "rejected",
  "retries_exhausted",
  "smtp_unavailable",
  "ambiguous",
] as const;
export type DeadLetterClass = (typeof deadLetterClasses)[number];

/** Whether the record itself is wrong, whoever reads it. */
export function isPoison(letterClass: DeadLetterClass): boolean {
  return (
    letterClass === "malformed" || letterClass === "invalid_data" || letterClass === "unknown_type"
  );
}
