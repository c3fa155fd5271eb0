import { unreachable } from "../../core/errors.ts";
import type { Log } from "../../core/log.ts";
import { runInTraceContext } from "../../core/log.ts";
import type { Service } from "../../core/service.ts";
import type { Clock } from "../../core/time.ts";
import type { BuryDeps } from "../dead-letters/bury.ts";
import { bury, UnwrittenDeadLetters } from "../dead-letters/bury.ts";
import type { EmailEvent } from "../event.ts";
import { readTraceContext, replayCountOf } from "../event.ts";
import type {
  EventLog,
  LogRecord,
  RunningRecord,
  RunningRecords,
  Subscription,
} from "../event-log/event-log.ts";
import { Semaphore } from "../event-log/flow/lanes.ts";
import type { DeliveryLedger } from "../ledger/delivery-ledger.ts";
import type { PendingOutcomes } from "../ledger/pending-outcomes.ts";
import type { MailServers } from "../mailer/mail-servers.ts";
import type { BatchDelivery, DeliverInBatches } from "./batches.ts";
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
  readonly deliverInBatches: DeliverInBatches;
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
/** Four mails per connection: one at the server, one that waits for its dot, two at the ledger. */
const runsPerConnection = 4;
/** Redis is blocked while a script runs: for 100 records about half a millisecond. */
const batchMax = 100;

/** A run of a record that the subscription gave us. */
interface RecordRun extends DeliveryRun {
  readonly running: RunningRecord;
}

/**
 * Consumes the events and delivers them: the first attempt of each in a batch, whatever follows
 * alone. It does what an outcome says: commit (the record is finished), wait in the lane and run
 * again, wait for an SMTP server or the ledger, or bury. It owns the waiting; it decides nothing about
 * a mail.
 *
 * Running: records flow. Paused (see `Pauses`): no record starts; those in flight wait for what is
 * unavailable, for their expiry, or until they are given up. Stopping: waits end, what is on the
 * wire is finished, the rest stays uncommitted and comes again.
 */
export class EmailWorker implements Service {
  readonly name = "email worker";
  readonly #deps: WorkerDeps;
  readonly #slots: Semaphore;
  readonly #batches: BatchDelivery<RecordRun>;
  readonly #pauses: Pauses;
  readonly #unwritten: UnwrittenDeadLetters;
  #subscription: Subscription | undefined;
  /** Of the subscription, from its first records on. */
  #records: RunningRecords | undefined;
  /** They wait for a slot. */
  readonly #ready: RunningRecord[] = [];
  #isFilling = false;

  constructor(deps: WorkerDeps) {
    this.#deps = deps;
    this.#batches = deps.deliverInBatches({
      ended: (run, outcome) => this.#ended(run, outcome),
      failed: (run, error) => this.#failed(run, error),
    });
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
      handle: (batch, records) => this.#take(batch, records),
    });
    subscription.failed.catch(onFailed);
    this.#subscription = subscription;
    this.#pauseOrResume();
  }

  async stop(): Promise<void> {
    this.#pauses.stop();
    await this.#subscription?.stop({ drainMs: this.#deps.settings.drainMs });
  }

  #take(batch: readonly RunningRecord[], records: RunningRecords): void {
    if (this.#records === undefined) {
      this.#records = records;
      records.draining.addEventListener("abort", () => this.#fill());
    }
    this.#ready.push(...batch);
    this.#fill();
  }

  /** Begins as many records as slots are free; when the subscription stops, none. */
  #fill(): void {
    const records = this.#records;
    if (records?.draining.aborted) {
      for (const running of this.#ready.splice(0)) records.leave(running, records.draining.reason);
    }
    while (this.#ready.length > 0) {
      const count = this.#slots.takeFree(Math.min(this.#ready.length, batchMax));
      if (count === 0) return;
      const runs = this.#ready.splice(0, count).map(createRun);
      if (!this.#pauses.isLedgerDown && records !== undefined) {
        void this.#batches.deliver(runs, records.signal);
      } else {
        for (const run of runs) {
          this.#slots.release();
          void this.#goOn(run, undefined);
        }
      }
    }
  }

  /** After the mails of a round have given their slots back one by one. */
  #fillSoon(): void {
    if (this.#isFilling) return;
    this.#isFilling = true;
    queueMicrotask(() => {
      this.#isFilling = false;
      this.#fill();
    });
  }

  /** The first attempt of a run, one of a batch, has ended. */
  #ended(run: RecordRun, outcome: DeliveryOutcome): void {
    this.#slots.release();
    this.#fillSoon();
    this.#deps.onOutcome?.(outcome, run.event);
    if (isFinished(outcome)) this.#finish(run);
    else void this.#goOn(run, outcome);
  }

  #failed(run: RecordRun, error: unknown): void {
    this.#slots.release();
    this.#fillSoon();
    this.#records?.leave(run.running, error);
  }

  #finish(run: RecordRun): void {
    this.#pauses.received(false);
    this.#records?.finish(run.running);
  }

  /** The run, alone, from its first outcome on, or from its beginning. */
  async #goOn(run: RecordRun, outcome: DeliveryOutcome | undefined): Promise<void> {
    const records = this.#records;
    if (records === undefined) return;
    try {
      await runInTraceContext(run.trace, () => this.#run(run, outcome, records));
      records.finish(run.running);
    } catch (error) {
      records.leave(run.running, error);
    }
  }

  /** Between two attempts a record may be left: the next owner of its partition goes on with it. */
  async #run(
    run: RecordRun,
    first: DeliveryOutcome | undefined,
    records: RunningRecords,
  ): Promise<void> {
    const { signal, draining } = records;
    for (let outcome = first ?? (await this.#attempt(run, records)); ; ) {
      if (isFinished(outcome)) {
        this.#pauses.received(false);
        return;
      }
      if (outcome.kind === "dead_letter") {
        await this.#bury(run.running.record, outcome.deadLetter, signal, draining);
        return;
      }
      await this.#waitAsDeferred(outcome, run, records);
      // A retry has its time in the ledger; released, it would be tried again as soon as a worker starts.
      if (draining.aborted && outcome.kind !== "retry") {
        await releaseClaim(this.#deps.ledger, run.claim, "worker stopped");
      }
      draining.throwIfAborted();
      outcome = await this.#attempt(run, records);
    }
  }

  async #attempt(run: RecordRun, { signal, draining }: RunningRecords): Promise<DeliveryOutcome> {
    await this.#pauses.untilLedgerBack(draining);
    draining.throwIfAborted();
    let outcome: DeliveryOutcome;
    {
      using _slot = await this.#slots.acquire();
      outcome = await this.#deps.pipeline(run, { signal });
    }
    this.#fillSoon();
    this.#deps.onOutcome?.(outcome, run.event);
    return outcome;
  }

  async #waitAsDeferred(
    outcome: WaitingOutcome,
    run: RecordRun,
    records: RunningRecords,
  ): Promise<void> {
    if (!isScheduled(outcome)) return this.#wait(outcome, run, records.draining);
    records.setDeferred(run.running, true);
    try {
      await this.#wait(outcome, run, records.draining);
    } finally {
      records.setDeferred(run.running, false);
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

function createRun(running: RunningRecord): RecordRun {
  const { record } = running;
  const { topic, partition, offset } = record;
  const replayCount = replayCountOf(record.headers);
  const run = createDeliveryRun({
    value: record.value,
    ...(record.unread === undefined ? {} : { unread: record.unread.reason }),
    replayCount,
    replayedAt: replayCount > 0 ? record.timestamp : undefined,
    origin: { topic, partition, offset },
    trace: readTraceContext(record.headers),
  });
  return Object.assign(run, { running });
}
