import { errorMessage, InstantError } from "../../core/errors.ts";
import { runInTraceContext } from "../../core/log.ts";
import type { EmailEvent } from "../event.ts";
import { isOptionalType } from "../event.ts";
import type { Answered, ClaimOutcome } from "../ledger/delivery-ledger.ts";
import type { SendOutcome } from "../mailer/mailer.ts";
import type { DeliveryOutcome, DeliveryRun } from "./outcome.ts";
import { isExpired } from "./outcome.ts";
import type { PipelineDeps } from "./pipeline.ts";
import { claimRequest, consume, deliver, settle, unclaimed } from "./pipeline.ts";
import type { GateAnswer } from "./recipient-gate.ts";
import type { RoundsListener } from "./rounds.ts";
import { MailInFlight, Rounds } from "./rounds.ts";
import { composeMessage } from "./submission.ts";

/** Told how one attempt of each run ended, each once, in any order. */
export interface BatchListener<Run> {
  ended(run: Run, outcome: DeliveryOutcome): void;
  /** The abort's reason, or a programmer error. */
  failed(run: Run, error: unknown): void;
}

/** Batches on the engines that were given before; see `composeDelivery`. */
export type DeliverInBatches = <Run extends DeliveryRun>(
  listener: BatchListener<Run>,
) => BatchDelivery<Run>;

type Claimed = Extract<ClaimOutcome, { kind: "claimed" }>;

/** A run and the event that it delivers. */
interface Decoded<Run> {
  readonly run: Run;
  readonly event: EmailEvent;
}

/**
 * The usual path of many mails, in steps that each take all of them: decode → claim (one call of the
 * ledger, one question to the gate) → render → submit → record (`Rounds`). Nothing is made for a mail
 * but its objects: no promise, timer or listener.
 *
 * A mail that leaves this path (held by another, expired, suppressed, not accepted, …) goes on alone,
 * by the very decisions of `pipeline.ts`. The mails of a batch are independent of each other: one that
 * waits, or fails, holds up none.
 */
export class BatchDelivery<Run extends DeliveryRun> implements RoundsListener<Run> {
  readonly #deps: PipelineDeps;
  readonly #listener: BatchListener<Run>;
  readonly #rounds: Rounds<Run>;

  constructor(deps: PipelineDeps, listener: BatchListener<Run>) {
    this.#deps = deps;
    this.#listener = listener;
    this.#rounds = new Rounds(deps, this);
  }

  /** One attempt for each; at most one mail of a lane. */
  async deliver(runs: readonly Run[], signal: AbortSignal): Promise<void> {
    const mails = this.#decode(runs);
    if (mails.length === 0) return;
    try {
      const { ledger, gate, clock } = this.#deps;
      const asked = gate.checkAll(mails.map(({ event }) => event)); // while the ledger is asked
      const claimedAt = clock.now();
      const claims = mails.map(({ run, event }) => claimRequest(this.#deps, run, event));
      const [answers, gateAnswers] = await Promise.all([ledger.claimAll(claims), asked]);
      for (const [index, mail] of mails.entries()) {
        const answer = answers[index] as Answered<ClaimOutcome>;
        this.#goOn(mail, answer, gateAnswers[index] as GateAnswer, { signal, claimedAt });
      }
    } catch (error) {
      for (const { run } of mails) this.#listener.failed(run, error);
    }
  }

  #decode(runs: readonly Run[]): readonly Decoded<Run>[] {
    const mails: Decoded<Run>[] = [];
    for (const run of runs) {
      const event = run.event ?? consume(this.#deps, run);
      if ("kind" in event) this.#listener.ended(run, event);
      else mails.push({ run, event });
    }
    return mails;
  }

  #goOn(
    { run, event }: Decoded<Run>,
    answer: Answered<ClaimOutcome>,
    gateAnswer: GateAnswer,
    given: { readonly signal: AbortSignal; readonly claimedAt: number },
  ): void {
    if (answer instanceof InstantError) {
      this.#listener.ended(run, { kind: "ledger_unavailable", reason: errorMessage(answer) });
    } else if (answer.kind !== "claimed") {
      this.#listener.ended(run, unclaimed(this.#deps, event, answer));
    } else if (this.#isUsual(event, gateAnswer)) {
      this.#submit(run, event, answer, given);
    } else {
      const { signal } = given;
      this.#alone(run, () =>
        deliver(this.#deps, { run, event, context: { signal }, gateCheck: gateAnswer }, answer),
      );
    }
  }

  #isUsual(event: EmailEvent, gateAnswer: GateAnswer): boolean {
    if (isExpired(event, this.#deps.clock.now())) return false;
    if (gateAnswer.kind === "open") return true;
    return gateAnswer.kind === "unavailable" && !isOptionalType(event.eventType);
  }

  #submit(
    run: Run,
    event: EmailEvent,
    { fence, attempts }: Claimed,
    { signal, claimedAt }: { readonly signal: AbortSignal; readonly claimedAt: number },
  ): void {
    const claim = { messageId: event.messageId, owner: run.owner, fence };
    run.claim = claim;
    try {
      const message = composeMessage(this.#deps, event);
      const mail = { run, event, claim, attempts, message, signal };
      this.#rounds.submit(new MailInFlight(this.#rounds, mail, claimedAt));
    } catch (error) {
      this.#listener.failed(run, error); // a template's; the others go on
    }
  }

  accepted({ run }: MailInFlight<Run>): void {
    this.#listener.ended(run, { kind: "accepted" });
  }

  notAccepted(mail: MailInFlight<Run>, outcome: SendOutcome): void {
    const { run, event, claim, attempts, signal } = mail;
    const retryingSince = run.replayedAt ?? event.timestamp;
    const sent = { event, claim, attempts, retryingSince };
    this.#alone(run, () => settle(this.#deps, run, sent, outcome, signal));
  }

  failed({ run }: MailInFlight<Run>, error: unknown): void {
    this.#listener.failed(run, error);
  }

  #alone(run: Run, work: () => Promise<DeliveryOutcome>): void {
    runInTraceContext(run.trace, work).then(
      (outcome) => this.#listener.ended(run, outcome),
      (error: unknown) => this.#listener.failed(run, error),
    );
  }
}
