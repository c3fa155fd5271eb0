import type { TraceContext } from "../../core/log.ts";
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
  /** Another owner works on it: ask again after `waitMs`; `deferred`: its next attempt is then. */
  | { readonly kind: "leased"; readonly waitMs: number; readonly deferred?: boolean }
  /** Not now: run again after `waitMs`, in this lane. */
  | {
      readonly kind: "retry";
      readonly waitMs: number;
      readonly cause: RetryCause;
      /** The server's words, or ours. */
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

export type RetryCause =
  | "deferred"
  | "throttled"
  | "lost"
  | "ambiguous"
  | "withheld"
  | "preferences_unavailable";

export interface DeadLetterCause {
  readonly class: DeadLetterClass;
  /** For a person; bounded, without codes and full addresses. */
  readonly reason: string;
  readonly messageId: string | undefined;
  readonly attempts: number;
  /** The ledger has this mail as given up, and is to know where its dead letter is. */
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

/** Whether the record itself is wrong, whichever service reads it. */
export function isPoison(deadLetterClass: DeadLetterClass): boolean {
  return (
    deadLetterClass === "malformed" ||
    deadLetterClass === "invalid_data" ||
    deadLetterClass === "unknown_type"
  );
}

/** One delivery of one event, through all its attempts. Made by the pipeline's caller. */
export interface DeliveryRun {
  readonly value: Uint8Array | null;
  readonly replayCount: number;
  /** From when on a replayed record may be retried, Unix ms: its own time. */
  readonly replayedAt: number | undefined;
  /** Unique, and the same through all attempts: it names the claim's owner. */
  readonly owner: string;
  /** Where the event is on the log; undefined: it came directly. */
  readonly origin: EventOrigin | undefined;
  /** Why `value` is not the whole record; left out: it is. */
  readonly unread?: string;
  /** What its record came with; undefined: nothing, or it runs in a context already. */
  readonly trace?: TraceContext | undefined;
  /** Set by the first attempt, which decodes `value`. */
  event: EmailEvent | undefined;
  /** The newest claim of this run, so that its caller can let go of it. */
  claim: Claim | undefined;
  /** Connections lost before the content ended. */
  losses: number;
  /** Refusals that were not known to be the server's fault when they came. */
  refusals: number;
  /** The one that turned out to be about the recipient: the next attempt only settles it. */
  refusal: RefusedMail | undefined;
  /** See `lineTextOf`. */
  lineText: string | undefined;
}

const processToken = randomToken(12);
let runs = 0;

/** A new run, under an owner of its own. */
export function createDeliveryRun(
  given: Pick<DeliveryRun, "value" | "unread" | "replayCount" | "replayedAt" | "origin" | "trace">,
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
    lineText: undefined,
  };
}

/** Waits for the verdict on a refusal; the pipeline's caller does, outside of what bounds its runs. */
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

/** The fields of every log line about a mail. */
export function lineOf(event: EmailEvent) {
  return {
    messageID: event.messageId,
    eventType: event.eventType,
    recipient: maskEmail(event.recipient),
  };
}

/** The same as JSON text, made once per run; for `logText`. */
export function lineTextOf(run: DeliveryRun, event: EmailEvent): string {
  run.lineText ??= JSON.stringify(lineOf(event)).slice(1, -1);
  return run.lineText;
}

export function isExpired({ expiresAt }: EmailEvent, now: number): boolean {
  return expiresAt !== undefined && now >= expiresAt;
}
