import { maskEmail } from "../../core/log.ts";
import { randomToken } from "../../core/secret.ts";
import type { EmailEvent } from "../event.ts";
import type { Claim, EventOrigin } from "../ledger/delivery-ledger.ts";
import type { RefusedMail, ServerDown } from "../mailer/mailer.ts";
import type { RefusalVerdict } from "../mailer/server-streak.ts";

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
  | { readonly kind: "leased"; readonly waitMs: number; readonly deferred?: boolean }
  /** Not now: run again after `waitMs`, in this lane. */
  | {
      readonly kind: "retry";
      readonly waitMs: number;
      readonly cause: RetryCause;
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
  | { readonly kind: "ledger_unavailable"; readonly reason: string }
  /** Given up: bury it, then commit. */
  | { readonly kind: "dead_letter"; readonly deadLetter: DeadLetterCause };

type OutcomeOf<K extends DeliveryOutcome["kind"]> = Extract<DeliveryOutcome, { kind: K }>;
type FinishedOutcome = OutcomeOf<
  "accepted" | "duplicate" | "expired" | "suppressed" | "buried_before"
>;
export type WaitingOutcome = OutcomeOf<
  "leased" | "retry" | "server_down" | "unconfirmed" | "ledger_unavailable"
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

type RetryCause =
  | "deferred"
  | "throttled"
  | "lost"
  | "ambiguous"
  | "withheld"
  | "preferences_unavailable";

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
export function isPoison(deadLetterClass: DeadLetterClass): boolean {
  return (
    deadLetterClass === "malformed" ||
    deadLetterClass === "invalid_data" ||
    deadLetterClass === "unknown_type"
  );
}

/** One delivery of one event, through all its tries. Made by who calls the pipeline. */
export interface DeliveryRun {
  readonly value: Uint8Array | null;
  readonly replayCount: number;
  /** Since when an outage holds it, Unix ms: the record's time for a replayed one. */
  readonly replayedAt: number | undefined;
  /** Nobody else's, the same through all tries: it names the claim's owner. */
  readonly owner: string;
  /** Where the event lies; undefined: it came directly. */
  readonly origin: EventOrigin | undefined;
  /** Why `value` is not the whole record; left out: it is. */
  readonly unread?: string;
  event: EmailEvent | undefined;
  /** The newest claim this run held, so that its caller can let it go. */
  claim: Claim | undefined;
  /** Connections lost before the content ended. */
  losses: number;
  /** Refusals that were not known to be the server's fault when they came. */
  refusals: number;
  /** The one that turned out to be the recipient's: the next run only has to settle it. */
  refusal: RefusedMail | undefined;
}

/** A fresh run, under an owner of its own. */
export function createDeliveryRun(
  given: Pick<DeliveryRun, "value" | "unread" | "replayCount" | "replayedAt" | "origin">,
): DeliveryRun {
  runs += 1;
  const owner = `${processToken}.${runs}`;
  return {
    ...given,
    owner,
    event: undefined,
    claim: undefined,
    losses: 0,
    refusals: 0,
    refusal: undefined,
  };
}

/** Waits for what a refusal turns out to be; for the caller, outside of what bounds its runs. */
export async function untilConfirmed(
  { refusal, verdict }: Extract<WaitingOutcome, { kind: "unconfirmed" }>,
  run: DeliveryRun,
  signal: AbortSignal,
): Promise<void> {
  const ended = Promise.withResolvers<"aborted">();
  const onAbort = () => ended.resolve("aborted");
  signal.addEventListener("abort", onAbort, { once: true });
  if (signal.aborted) onAbort();
  if ((await Promise.race([verdict, ended.promise])) === "refused") run.refusal = refusal;
  signal.removeEventListener("abort", onAbort);
}

const processToken = randomToken(12);
let runs = 0;

/** The fields of every log line about a mail. */
export function lineOf(event: EmailEvent) {
  return {
    messageID: event.messageId,
    eventType: event.eventType,
    recipient: maskEmail(event.recipient),
  };
}

/** Where it came from, for its first line. */
export function placeOf(origin: EventOrigin | undefined): object {
  if (origin === undefined) return { direct: true };
  const { partition, offset } = origin;
  return { partition, offset };
}
