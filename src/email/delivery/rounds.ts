import type { TraceContext } from "../../core/log.ts";
import { logText } from "../../core/log.ts";
import type { EmailEvent } from "../event.ts";
import type {
  AdvanceOutcome,
  Answered,
  Claim,
  DeliveryLedger,
  LedgerStep,
} from "../ledger/delivery-ledger.ts";
import type {
  ContentEnding,
  Mailer,
  MailMessage,
  SendOutcome,
  Submission,
} from "../mailer/mailer.ts";
import type { HeldLease, Leases } from "./leases.ts";
import type { DeliveryRun } from "./outcome.ts";
import { isExpired, lineTextOf } from "./outcome.ts";
import type { PipelineDeps } from "./pipeline.ts";
import { acceptance } from "./settlement.ts";

type Accepted = Extract<SendOutcome, { kind: "accepted" }>;

interface RoundsDeps extends Pick<PipelineDeps, "clock" | "log" | "record"> {
  readonly ledger: Pick<DeliveryLedger, "advanceAll">;
  readonly mailer: Pick<Mailer, "submit" | "concurrency">;
  readonly leases: Leases;
}

/** What becomes of the mails; each is reported once. */
export interface RoundsListener<Run extends DeliveryRun> {
  /** The ledger has it as accepted. */
  accepted(mail: MailInFlight<Run>): void;
  /** Anything else than accepted: nothing was written yet. */
  notAccepted(mail: MailInFlight<Run>, outcome: SendOutcome): void;
  /** A programmer error. */
  failed(mail: MailInFlight<Run>, error: unknown): void;
}

/** One claimed mail on its way through the mailer. */
export class MailInFlight<Run extends DeliveryRun> implements Submission, HeldLease {
  readonly run: Run;
  readonly event: EmailEvent;
  readonly claim: Claim;
  /** Before this one. */
  readonly attempts: number;
  readonly message: MailMessage;
  readonly signal: AbortSignal;
  readonly trace: TraceContext | undefined;
  state: HeldLease["state"] = "claimed";
  renewedAt: number;
  place: number | undefined;
  /** Set while the final dot waits for its round. */
  ending: ContentEnding | undefined;
  /** A programmer error in its round. */
  failure: { readonly error: unknown } | undefined;
  readonly #rounds: Rounds<Run>;

  constructor(
    rounds: Rounds<Run>,
    mail: Pick<MailInFlight<Run>, "run" | "event" | "claim" | "attempts" | "message" | "signal">,
    claimedAt: number,
  ) {
    this.#rounds = rounds;
    this.run = mail.run;
    this.event = mail.event;
    this.claim = mail.claim;
    this.attempts = mail.attempts;
    this.message = mail.message;
    this.signal = mail.signal;
    this.trace = mail.run.trace;
    this.renewedAt = claimedAt;
  }

  contentTaken(ending: ContentEnding): void {
    this.ending = ending;
    this.#rounds.contentTaken(this);
  }

  settled(outcome: SendOutcome): void {
    this.#rounds.settled(this, outcome);
  }
}

/** A mail whose acceptance is not recorded yet. */
interface AcceptedMail<Run extends DeliveryRun> {
  readonly mail: MailInFlight<Run>;
  readonly outcome: Accepted;
}

/** Most time that a mail waits for others of its round. */
const roundMsMax = 3;

/**
 * The two moments at which a mail's fate is written, for many mails at once. A round takes the mails
 * whose content a server has taken and whose final dot is withheld, and those that were accepted
 * since the last round; it writes `submitting` for the first and `accepted` for the second in one call
 * of the ledger, and only then lets the dots go.
 *
 * Open: mails come. While a connection is free, it closes at once: nobody waits for others. While all
 * have mails to carry (a backlog, where the rate counts), it closes once each has brought one, or 3 ms
 * after the first. Written: the dot of each mail goes whose
 * `submitting` was written in time; a mail is withheld (nothing was sent) when its claim was lost, the
 * ledger did not answer, its event expired, or a third of the new lease is gone already.
 */
export class Rounds<Run extends DeliveryRun> {
  readonly #deps: RoundsDeps;
  readonly #listener: RoundsListener<Run>;
  /** Submitted, and their dot was not allowed yet. */
  #undotted = 0;
  #taken: MailInFlight<Run>[] = [];
  #accepted: AcceptedMail<Run>[] = [];
  #timer: ReturnType<typeof setTimeout> | undefined;
  #isClosing = false;

  constructor(deps: RoundsDeps, listener: RoundsListener<Run>) {
    this.#deps = deps;
    this.#listener = listener;
  }

  submit(mail: MailInFlight<Run>): void {
    this.#undotted += 1;
    this.#deps.leases.hold(mail);
    this.#deps.mailer.submit(mail);
  }

  contentTaken(mail: MailInFlight<Run>): void {
    this.#taken.push(mail);
    this.#closeWhenFull();
  }

  settled(mail: MailInFlight<Run>, outcome: SendOutcome): void {
    this.#deps.leases.drop(mail);
    if (mail.state === "claimed") this.#undotted -= 1;
    if (mail.failure !== undefined) this.#listener.failed(mail, mail.failure.error);
    else if (outcome.kind !== "accepted") this.#listener.notAccepted(mail, outcome);
    else this.#noteAccepted(mail, outcome);
    if (this.#taken.length > 0 || this.#accepted.length > 0) this.#closeWhenFull();
  }

  #noteAccepted(mail: MailInFlight<Run>, outcome: Accepted): void {
    const queueId =
      outcome.queueId === undefined ? "" : `,"queueId":${JSON.stringify(outcome.queueId)}`;
    const fields = `${lineTextOf(mail.run, mail.event)},"smtpHost":${JSON.stringify(outcome.host)}${queueId}`;
    logText(this.#deps.log, fields, "Email sent successfully", mail.trace);
    this.#accepted.push({ mail, outcome });
  }

  #closeWhenFull(): void {
    if (this.#isClosing) return;
    const { concurrency } = this.#deps.mailer;
    if (this.#undotted >= concurrency && this.#taken.length < concurrency) {
      this.#timer ??= setTimeout(() => this.#close(), roundMsMax);
      return;
    }
    this.#isClosing = true;
    setImmediate(() => this.#close()); // with those that come in the same turn
  }

  #close(): void {
    clearTimeout(this.#timer);
    this.#timer = undefined;
    this.#isClosing = false;
    const [taken, accepted] = [this.#taken, this.#accepted];
    this.#taken = [];
    this.#accepted = [];
    if (taken.length + accepted.length > 0) void this.#write(taken, accepted);
  }

  async #write(
    taken: readonly MailInFlight<Run>[],
    accepted: readonly AcceptedMail<Run>[],
  ): Promise<void> {
    const { ledger, clock, leases } = this.#deps;
    const now = clock.now();
    const leaseMs = leases.lengthOf("submitting");
    const live = taken.filter((mail) => !isExpired(mail.event, now));
    const steps = live.map(
      ({ claim }): LedgerStep => ({ claim, change: { kind: "submitting", leaseMs } }),
    );
    for (const { mail, outcome } of accepted) {
      steps.push({ claim: mail.claim, change: acceptance(outcome) });
    }
    try {
      const answers = await ledger.advanceAll(steps);
      const isLate = clock.now() - now >= leases.leaseMs;
      for (const [index, mail] of live.entries()) {
        if (isDone(answers[index]) && !isLate) this.#allow(mail, now);
      }
      for (const mail of taken) if (mail.state === "claimed") mail.ending?.withhold();
      for (const [index, each] of accepted.entries()) {
        const answer = answers[live.length + index];
        if (answer !== undefined && "kind" in answer) this.#marked(each.mail);
        else void this.#recordAlone(each);
      }
    } catch (error) {
      for (const mail of taken) {
        mail.failure = { error };
        mail.ending?.withhold();
      }
      for (const { mail } of accepted) this.#listener.failed(mail, error);
    }
  }

  #allow(mail: MailInFlight<Run>, now: number): void {
    mail.state = "submitting";
    mail.renewedAt = now;
    this.#undotted -= 1;
    mail.ending?.allow();
  }

  /** However long the ledger is unavailable: see `PendingOutcomes`. */
  async #recordAlone({ mail, outcome }: AcceptedMail<Run>): Promise<void> {
    try {
      await this.#deps.record(mail.claim, acceptance(outcome));
      this.#marked(mail);
    } catch (error) {
      this.#listener.failed(mail, error);
    }
  }

  #marked(mail: MailInFlight<Run>): void {
    const { run, event, trace } = mail;
    logText(this.#deps.log, lineTextOf(run, event), "Marked email as processed", trace);
    this.#listener.accepted(mail);
  }
}

function isDone(answer: Answered<AdvanceOutcome> | undefined): boolean {
  return answer !== undefined && "kind" in answer && answer.kind === "done";
}
