import { unreachable } from "../../core/errors.ts";
import type { Log } from "../../core/log.ts";
import { runInTraceContext } from "../../core/log.ts";
import type { Service } from "../../core/service.ts";
import type { Clock } from "../../core/time.ts";
import type { BuryDeps } from "../dead-letters/bury.ts";
import { bury, UnwrittenDeadLetters } from "../dead-letters/bury.ts";
import type { EmailEvent } from "../event.ts";
import { readTraceContext, replayCountOf } from "../event.ts";
import type { Defer, EventLog, LogRecord, Subscription } from "../event-log/event-log.ts";
import { Semaphore } from "../event-log/flow/lanes.ts";
import type { DeliveryLedger } from "../ledger/delivery-ledger.ts";
import type { PendingOutcomes } from "../ledger/pending-outcomes.ts";
import type { MailServers } from "../mailer/mail-servers.ts";
import type { DeadLetterCause, DeliveryOutcome, DeliveryRun, WaitingOutcome } from "./outcome.ts";
import { createDeliveryRun, isFinished, isPoison, untilConfirmed } from "./outcome.ts";
import { Pauses } from "./pauses.ts";
import type { Pipeline } from "./pipeline.ts";
import { releaseClaim } from "./settlement.ts";

interface WorkerDeps extends BuryDeps {
  readonly eventLog: EventLog;
  readonly ledger: DeliveryLedger;
  readonly pendingOutcomes: Pick<PendingOutcomes, "count" | "onPending">;
  readonly mailer: MailServers;
  readonly pipeline: Pipeline;
  readonly clock: Clock;
  readonly log: Log;
  readonly settings: BuryDeps["settings"] & {
    readonly eventsTopic: string;
    readonly drainMs: number;
    /** See `PoisonGuard`. */
    readonly poisonMax: number;
  };
  /** The subscription cannot go on: the process should end, with exit code 1. */
  readonly onFailed: (error: unknown) => void;
  /** `event`: what was delivered; undefined when the record has none. */
  readonly onOutcome?: (outcome: DeliveryOutcome, event?: EmailEvent) => void;
}

const leasePollMsMax = 2000;
/** Two mails per connection: one on the wire, one at the ledger. */
const runsPerConnection = 2;

/**
 * Consumes the events, runs the pipeline for each and does what its outcome says: commit (the
 * record is finished), wait in the lane and run again, wait for an SMTP server or the ledger, or
 * bury. It owns the waiting; it decides nothing about a mail.
 *
 * Running: records flow. Paused (see `Pauses`): no record starts; those in flight wait for what is
 * unavailable, for their expiry, or until they are given up. Stopping: waits end, what is on the
 * wire is finished, the rest stays uncommitted and comes again.
 */
export class EmailWorker implements Service {
  readonly name = "email worker";
  readonly #deps: WorkerDeps;
  readonly #slots: Semaphore;
  readonly #pauses: Pauses;
  readonly #unwritten: UnwrittenDeadLetters;
  #subscription: Subscription | undefined;

  constructor(deps: WorkerDeps) {
    this.#deps = deps;
    this.#slots = new Semaphore(deps.mailer.concurrency * runsPerConnection);
    this.#unwritten = new UnwrittenDeadLetters(deps.clock);
    this.#pauses = new Pauses({
      ...deps,
      poisonMax: deps.settings.poisonMax,
      onChange: () => this.#pauseOrResume(),
    });
  }

  /** Why no mail starts now; empty when mails flow. For `/readyz`. */
  get pausedReasons(): readonly string[] {
    const others = [this.#unwritten.reason, this.#subscription?.stats.problem];
    return [...this.#pauses.reasons, ...others.filter((reason) => reason !== undefined)];
  }

  /** By part: whether delivery waits for it. */
  get paused(): Pauses["paused"] & Readonly<Record<"dead_letters", boolean>> {
    return { ...this.#pauses.paused, dead_letters: this.#unwritten.reason !== undefined };
  }

  /** Dead letters that the log has not acknowledged. */
  get unwrittenDeadLetters(): number {
    return this.#unwritten.count;
  }

  /** The SMTP servers that are down, whether or not another one takes their mails. */
  get serversDown(): MailServers["unhealthy"] {
    return this.#deps.mailer.unhealthy;
  }

  /** Known outcomes that wait for the ledger. */
  get pendingOutcomes(): number {
    return this.#deps.pendingOutcomes.count;
  }

  /** Whether each engine answers, as far as is known without asking. */
  get connected(): Readonly<Record<"event_log" | "ledger", boolean>> {
    return {
      event_log: this.#subscription !== undefined && this.#subscription.stats.problem === undefined,
      ledger: this.#deps.ledger.connection !== "disconnected",
    };
  }

  get subscription(): Subscription | undefined {
    return this.#subscription;
  }

  async start(): Promise<void> {
    const { eventLog, settings, onFailed } = this.#deps;
    const subscription = await eventLog.subscribe({
      topic: settings.eventsTopic,
      group: settings.group,
      handle: (record, signal, draining, defer) =>
        runInTraceContext(readTraceContext(record.headers), () =>
          this.#handle(record, signal, draining, defer),
        ),
    });
    subscription.failed.catch(onFailed);
    this.#subscription = subscription;
    this.#pauseOrResume();
  }

  async stop(): Promise<void> {
    this.#pauses.stop();
    await this.#subscription?.stop({ drainMs: this.#deps.settings.drainMs });
  }

  /** Between two attempts a record may be left: the next owner of its partition goes on with it. */
  async #handle(
    record: LogRecord,
    signal: AbortSignal,
    draining: AbortSignal,
    defer: Defer,
  ): Promise<void> {
    const run = createRun(record);
    for (;;) {
      await this.#pauses.untilLedgerBack(draining);
      draining.throwIfAborted();
      let outcome: DeliveryOutcome;
      {
        using _slot = await this.#slots.acquire();
        outcome = await this.#deps.pipeline(run, { signal });
      }
      this.#deps.onOutcome?.(outcome, run.event);
      if (isFinished(outcome)) {
        this.#pauses.received(false);
        return;
      }
      if (outcome.kind === "dead_letter") {
        await this.#bury(record, outcome.deadLetter, signal, draining);
        return;
      }
      const wait = this.#wait.bind(this, outcome, run, draining);
      await (isScheduled(outcome) ? defer(wait) : wait());
      // A retry has its time in the ledger; released, it would be tried again as soon as a worker starts.
      if (draining.aborted && outcome.kind !== "retry") {
        await releaseClaim(this.#deps.ledger, run.claim, "worker stopped");
      }
      draining.throwIfAborted();
    }
  }

  async #bury(
    record: LogRecord,
    cause: DeadLetterCause,
    signal: AbortSignal,
    draining: AbortSignal,
  ): Promise<void> {
    const guarded = this.#pauses.received(isPoison(cause.class));
    if (guarded && isPoison(cause.class)) await untilAborted(draining);
    await bury({ ...this.#deps, unwritten: this.#unwritten }, record, cause, signal);
  }

  async #wait(outcome: WaitingOutcome, run: DeliveryRun, draining: AbortSignal): Promise<void> {
    const { clock } = this.#deps;
    switch (outcome.kind) {
      case "leased":
        return clock.sleep(
          outcome.deferred === true ? outcome.waitMs : Math.min(outcome.waitMs, leasePollMsMax),
          draining,
        );
      case "retry":
        return clock.sleep(outcome.waitMs, draining);
      case "server_down":
        return this.#deps.mailer.untilBack({
          recipient: run.event?.recipient ?? "",
          untilMs: outcome.untilMs,
          signal: draining,
        });
      case "unconfirmed":
        return untilConfirmed(outcome, run, draining);
      case "ledger_unavailable":
        return this.#pauses.ledgerUnavailable(outcome.reason);
      default:
        return unreachable(outcome);
    }
  }

  #pauseOrResume(): void {
    if (this.#pauses.pausesConsumption) this.#subscription?.pause();
    else this.#subscription?.resume();
  }
}

/** It only waits for a time to come, so it takes no place among the records at work. */
function isScheduled(outcome: WaitingOutcome): boolean {
  return outcome.kind === "retry" || (outcome.kind === "leased" && outcome.deferred === true);
}

/** Never resolves; rejects with the reason of the abort. */
function untilAborted(signal: AbortSignal): Promise<never> {
  return new Promise((_, reject) => {
    if (signal.aborted) reject(signal.reason);
    signal.addEventListener("abort", () => reject(signal.reason), { once: true });
  });
}

function createRun(record: LogRecord): DeliveryRun {
  const { topic, partition, offset } = record;
  const replayCount = replayCountOf(record.headers);
  return createDeliveryRun({
    value: record.value,
    ...(record.unread === undefined ? {} : { unread: record.unread.reason }),
    replayCount,
    replayedAt: replayCount > 0 ? record.timestamp : undefined,
    origin: { topic, partition, offset },
  });
}
