import { InstantError } from "../../src/core/errors.ts";
import { createLog } from "../../src/core/log.ts";
import { Leases } from "../../src/email/delivery/leases.ts";
import type { DeliveryRun } from "../../src/email/delivery/outcome.ts";
import { createDeliveryRun } from "../../src/email/delivery/outcome.ts";
import { MailInFlight, Rounds } from "../../src/email/delivery/rounds.ts";
import type { EmailEvent } from "../../src/email/event.ts";
import type {
  AdvanceOutcome,
  Answered,
  LedgerStep,
} from "../../src/email/ledger/delivery-ledger.ts";
import { ledgerErrors } from "../../src/email/ledger/delivery-ledger.ts";
import type { SendOutcome, Submission } from "../../src/email/mailer/mailer.ts";
import { lastingCodeEvent } from "../../support/events.ts";
import { FakeClock } from "./fake-clock.ts";

type Mail = MailInFlight<DeliveryRun>;

/** One call of the ledger, which the test answers. */
export interface LedgerCall {
  readonly steps: readonly LedgerStep[];
  answer(decide: (step: LedgerStep) => Answered<AdvanceOutcome>): void;
  fail(error: unknown): void;
}

export const done: AdvanceOutcome = { kind: "done" };
export const lost: AdvanceOutcome = { kind: "lost", state: "claimed" };
export const unavailable = new InstantError(ledgerErrors.ledgerUnavailable);

/** What happened to a mail, in order; the dot is the moment that counts. */
export type Step = "dot" | "withheld" | "accepted" | "not accepted" | "failed";

/** Rounds between a mailer and a ledger that do what the test says. */
export class RoundsRig {
  readonly clock = new FakeClock();
  readonly calls: LedgerCall[] = [];
  readonly lines: string[] = [];
  /** Recorded alone, after the round's call had no answer for it. */
  readonly recordedAlone: string[] = [];
  readonly steps = new Map<string, Step[]>();
  readonly #submitted = new Map<string, Submission>();
  readonly #rounds: Rounds<DeliveryRun>;

  constructor(options: { readonly connections?: number } = {}) {
    const ledger = {
      advanceAll: (steps: readonly LedgerStep[]) => {
        const answers = Promise.withResolvers<readonly Answered<AdvanceOutcome>[]>();
        this.calls.push({
          steps,
          answer: (decide) => answers.resolve(steps.map(decide)),
          fail: answers.reject,
        });
        return answers.promise;
      },
    };
    this.#rounds = new Rounds(
      {
        clock: this.clock,
        leases: new Leases(ledger, this.clock, 15_000),
        ledger,
        log: createLog({
          service: "test",
          level: "info",
          write: (line) => this.lines.push(JSON.parse(line).msg),
        }),
        mailer: {
          concurrency: options.connections ?? 4,
          submit: (submission) => this.#submitted.set(submission.message.messageId, submission),
        },
        record: async (claim) => {
          this.recordedAlone.push(claim.messageId);
          return done;
        },
      },
      {
        accepted: (mail) => this.#note(mail, "accepted"),
        notAccepted: (mail) => this.#note(mail, "not accepted"),
        failed: (mail) => this.#note(mail, "failed"),
      },
    );
  }

  submit(given: Partial<EmailEvent> = {}): string {
    const event = { ...lastingCodeEvent(), ...given } as EmailEvent;
    const { messageId, recipient } = event;
    const run = createDeliveryRun({
      value: null,
      replayCount: 0,
      replayedAt: undefined,
      origin: undefined,
    });
    const mail = {
      run,
      event,
      claim: { messageId, owner: run.owner, fence: 1 },
      attempts: 0,
      message: { messageId, to: recipient, subject: "", text: "", html: "" },
      signal: new AbortController().signal,
    };
    this.steps.set(messageId, []);
    this.#rounds.submit(new MailInFlight(this.#rounds, mail, this.clock.now()));
    return messageId;
  }

  /** The mails whose dot went, oldest first. */
  get withDot(): readonly string[] {
    return [...this.steps].flatMap(([mail, steps]) => (steps.includes("dot") ? [mail] : []));
  }

  /** The server has taken all but the dot. */
  take(messageId: string): void {
    const steps = this.steps.get(messageId);
    this.#submitted.get(messageId)?.contentTaken({
      allow: () => steps?.push("dot"),
      withhold: () => {
        steps?.push("withheld");
        queueMicrotask(() => this.settle(messageId, { kind: "withheld" }));
      },
    });
  }

  settle(messageId: string, outcome: SendOutcome): void {
    this.#submitted.get(messageId)?.settled(outcome);
  }

  accept(messageId: string): void {
    this.settle(messageId, { kind: "accepted", host: "mx", reply: "250 ok", queueId: undefined });
  }

  #note({ claim }: Mail, step: Step): void {
    this.steps.get(claim.messageId)?.push(step);
  }
}

/** Until nothing more happens without the test or a timer. */
export async function turns(): Promise<void> {
  for (let turn = 0; turn < 3; turn += 1) await new Promise((resolve) => setImmediate(resolve));
}
