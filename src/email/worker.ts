import type { Clock } from "../core/clock.ts";
import { errorMessage, isInstantError, unreachable } from "../core/errors.ts";
import { Breaker } from "../core/flow/breaker.ts";
import { Semaphore } from "../core/flow/semaphore.ts";
import type { Log } from "../core/log.ts";
import { randomToken } from "../core/secret.ts";
import type { Service } from "../core/service.ts";
import type { BuryDeps } from "./dead-letters/bury.ts";
import { bury } from "./dead-letters/bury.ts";
import { replayCountOf } from "./dead-letters/letter.ts";
import type { EventLog, LogRecord, Subscription } from "./event-log/event-log.ts";
import type { DeliveryLedger } from "./ledger/delivery-ledger.ts";
import type { Mailer, ServerDown } from "./mailer/mailer.ts";
import type { DeliveryOutcome, WaitingOutcome } from "./outcome.ts";
import { isFinished } from "./outcome.ts";
import type { DeliveryRun, Pipeline } from "./pipeline.ts";
import { releaseClaim } from "./settlement.ts";

export interface WorkerDeps extends BuryDeps {
  readonly eventLog: EventLog;
  readonly ledger: DeliveryLedger;
  readonly mailer: Mailer;
  readonly pipeline: Pipeline;
  readonly clock: Clock;
  readonly log: Log;
  readonly settings: BuryDeps["settings"] & {
    readonly eventsTopic: string;
    readonly drainMs: number;
  };
  /** Called when the subscription cannot go on: the process should end, with exit code 1. */
  readonly onFailed: (error: unknown) => void;
  readonly onOutcome?: (outcome: DeliveryOutcome) => void;
}

const heldPollMsMax = 2000;
const ledgerPingDeadlineMs = 2000;
/** Two mails per connection: one on the wire, one at the ledger. */
const runsPerConnection = 2;

/**
 * Consumes the events, runs the pipeline for each and does what its outcome says: commit (the
 * record is finished), wait in the lane and run again, wait for the SMTP server or the ledger, or
 * bury. It owns the waiting and the two breakers; it decides nothing about a mail.
 *
 * Running: records flow. Held: the SMTP or the ledger breaker is open; no record starts, those in
 * flight wait for it, for their expiry or for the end of their hold. Stopping: waits end, what is
 * on the wire is finished, the rest stays uncommitted and comes again.
 */
export class EmailWorker implements Service {
  readonly name = "email worker";
  readonly #deps: WorkerDeps;
  readonly #slots: Semaphore;
  readonly #smtp: Breaker;
  readonly #ledger: Breaker;
  #down: ServerDown | undefined;
  #subscription: Subscription | undefined;

  constructor(deps: WorkerDeps) {
    this.#deps = deps;
    this.#slots = new Semaphore(deps.mailer.concurrency * runsPerConnection);
    this.#smtp = this.#breaker("SMTP server", [1000, 5000], (signal) => this.#probeSmtp(signal));
    this.#ledger = this.#breaker("Delivery ledger", [250, 2000], () => this.#probeLedger());
  }

  /** Why no mail starts now; empty when mails flow. For `/readyz`. */
  get reasonsHeld(): readonly string[] {
    return [this.#smtp.state, this.#ledger.state].flatMap((state) =>
      state.kind === "open" ? [state.reason] : [],
    );
  }

  get subscription(): Subscription | undefined {
    return this.#subscription;
  }

  async start(): Promise<void> {
    const { eventLog, settings, onFailed } = this.#deps;
    const subscription = await eventLog.subscribe({
      topic: settings.eventsTopic,
      group: settings.group,
      handle: (record, signal, draining) => this.#handle(record, signal, draining),
    });
    subscription.failed.catch(onFailed);
    this.#subscription = subscription;
    this.#pauseOrResume();
  }

  async stop(): Promise<void> {
    this.#smtp.stop();
    this.#ledger.stop();
    await this.#subscription?.stop({ drainMs: this.#deps.settings.drainMs });
  }

  /** Between two tries a record may be left: the next owner of its partition goes on with it. */
  async #handle(record: LogRecord, signal: AbortSignal, draining: AbortSignal): Promise<void> {
    const run = createRun(record);
    for (;;) {
      await this.#ledger.untilClosed({ signal: draining });
      draining.throwIfAborted();
      const outcome = await this.#slots.use(() =>
        this.#deps.pipeline(run, { signal, down: this.#downNow() }),
      );
      this.#deps.onOutcome?.(outcome);
      if (isFinished(outcome)) return;
      if (outcome.kind === "dead_letter") {
        await bury(this.#deps, record, outcome.letter, signal);
        return;
      }
      await this.#wait(outcome, draining);
      if (draining.aborted) await releaseClaim(this.#deps.ledger, run.claim, "worker stopped");
      draining.throwIfAborted();
    }
  }

  async #wait(outcome: WaitingOutcome, draining: AbortSignal): Promise<void> {
    const { clock } = this.#deps;
    switch (outcome.kind) {
      case "held":
        return clock.sleep(Math.min(outcome.waitMs, heldPollMsMax), draining);
      case "retry":
        return clock.sleep(outcome.waitMs, draining);
      case "server_down":
        this.#down = outcome.down;
        this.#smtp.trip(outcome.down.reason);
        return this.#smtp.untilClosed({ signal: draining, untilMs: outcome.untilMs });
      case "ledger_away":
        return this.#ledger.trip(outcome.reason);
      default:
        return unreachable(outcome);
    }
  }

  #downNow(): ServerDown | undefined {
    return this.#smtp.state.kind === "open" ? this.#down : undefined;
  }

  #breaker(
    part: string,
    [probeDelayMsMin, probeDelayMsMax]: readonly [number, number],
    probe: (signal: AbortSignal) => Promise<string | undefined>,
  ): Breaker {
    const { clock, log } = this.#deps;
    return new Breaker({
      clock,
      probe,
      probeDelayMsMin,
      probeDelayMsMax,
      onChange: (state) => {
        if (state.kind === "open") log.error({ part, reason: state.reason }, "Delivery paused");
        else log.info({ part }, "Delivery resumed");
        this.#pauseOrResume();
      },
    });
  }

  #pauseOrResume(): void {
    if (this.reasonsHeld.length > 0) this.#subscription?.pause();
    else this.#subscription?.resume();
  }

  async #probeSmtp(signal: AbortSignal): Promise<string | undefined> {
    const probed = await this.#deps.mailer.probe(signal);
    if (probed.kind === "up") return undefined;
    this.#down = probed;
    return probed.reason;
  }

  async #probeLedger(): Promise<string | undefined> {
    try {
      await this.#deps.ledger.ping({ deadlineMs: ledgerPingDeadlineMs });
      return undefined;
    } catch (error) {
      if (!isInstantError(error)) throw error;
      return errorMessage(error);
    }
  }
}

function createRun(record: LogRecord): DeliveryRun {
  const { partition, offset } = record;
  const replayCount = replayCountOf(record.headers);
  return {
    value: record.value,
    replayCount,
    replayedAt: replayCount > 0 ? record.timestamp : undefined,
    owner: randomToken(12),
    origin: { partition, offset },
    event: undefined,
    claim: undefined,
    losses: 0,
  };
}
