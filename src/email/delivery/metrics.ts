import type { Metrics } from "../../core/metrics.ts";
import type { Clock } from "../../core/time.ts";
import type { EmailEvent } from "../event.ts";
import type { PartitionLag } from "../event-log/event-log.ts";
import type { LagReader } from "../event-log/lag-reader.ts";
import type { DeadLetterClass, DeliveryOutcome } from "./outcome.ts";
import { deadLetterClasses } from "./outcome.ts";
import type { EmailWorker } from "./worker.ts";

interface WorkerMetricsDeps {
  readonly metrics: Metrics;
  readonly clock: Pick<Clock, "now">;
  readonly worker: () => EmailWorker | undefined;
  readonly lag: Pick<LagReader, "read">;
}

/** A code is wanted within a minute and lives for 10 min; an outage may last 20 h. */
const ageBuckets = [0.1, 0.25, 0.5, 1, 2.5, 5, 10, 30, 60, 300, 600, 3600, 72_000];

interface WorkerMeasures {
  readonly onOutcome: (outcome: DeliveryOutcome, event?: EmailEvent) => void;
  readonly onBuried: (deadLetterClass: DeadLetterClass) => void;
}

/**
 * The worker's metrics. Returns what to call with each outcome, and with each dead letter that was
 * acknowledged. `ambiguous` counts the mails whose answer was lost after the content: a person
 * should look at each of them.
 */
export function createWorkerMetrics(deps: WorkerMetricsDeps): WorkerMeasures {
  const { metrics, clock } = deps;
  const outcomes = metrics.counter(
    {
      name: "instant_email_outcomes_total",
      help: "Runs of the delivery pipeline, by outcome.",
      labels: ["outcome"],
    },
    [{ outcome: "accepted" }, { outcome: "dead_letter" }],
  );
  const deadLetters = metrics.counter(
    {
      name: "instant_email_dead_letters_total",
      help: "Records moved to the dead-letter topic, by class, once it acknowledged them.",
      labels: ["class"],
    },
    deadLetterClasses.map((name) => ({ class: name })),
  );
  const suppressed = metrics.counter({
    name: "instant_email_suppressed_total",
    help: "Mails that were not sent because their recipient is suppressed, or declined their type.",
    labels: ["reason"],
  });
  const ambiguous = metrics.counter({
    name: "instant_email_ambiguous_total",
    help: "Mails for which the server's answer to the content was lost.",
  });
  const ages = metrics.histogram({
    name: "instant_email_accepted_after_seconds",
    help: "Time from an event's timestamp to the SMTP server's acceptance of the mail.",
    labels: ["event_type"],
    buckets: ageBuckets,
  });
  addState(deps);
  addLag(deps);
  const onBuried = (name: DeadLetterClass) => deadLetters.add({ class: name });
  const onOutcome: WorkerMeasures["onOutcome"] = (outcome, event) => {
    outcomes.add({ outcome: outcome.kind });
    if (outcome.kind === "accepted" && event !== undefined) {
      const seconds = Math.max(0, clock.now() - event.timestamp) / 1000;
      ages.observe(seconds, { event_type: event.eventType });
    }
    if (outcome.kind === "suppressed") suppressed.add({ reason: outcome.reason });
    if (outcome.kind === "retry" && outcome.cause === "ambiguous") ambiguous.add();
  };
  return { onOutcome, onBuried };
}

/** The worker's state, as far as it is known without asking an engine. */
function addState({ metrics, worker }: WorkerMetricsDeps): void {
  metrics.gauge(
    {
      name: "instant_email_paused",
      help: "1 while delivery is paused for this reason.",
      labels: ["part"],
    },
    (set) => {
      for (const [part, isPaused] of Object.entries(worker()?.paused ?? {}))
        set(isPaused ? 1 : 0, { part });
    },
  );
  metrics.gauge(
    { name: "instant_email_in_flight", help: "Records that are being processed." },
    (set) => set(worker()?.subscription?.stats.inFlight ?? 0),
  );
  metrics.gauge(
    {
      name: "instant_email_deferred",
      help: "Records that wait for their next attempt, and those behind them in their lanes.",
    },
    (set) => set(worker()?.subscription?.stats.deferred ?? 0),
  );
  metrics.gauge(
    {
      name: "instant_email_server_down",
      help: "1 while this SMTP server is down, by cause.",
      labels: ["cause", "server"],
    },
    (set) => {
      for (const { address, down } of worker()?.serversDown ?? []) {
        set(1, { cause: down.cause, server: address });
      }
    },
  );
  metrics.gauge(
    {
      name: "instant_email_pending_outcomes",
      help: "Known outcomes that are not yet written to the ledger.",
    },
    (set) => set(worker()?.pendingOutcomes ?? 0),
  );
  metrics.gauge(
    {
      name: "instant_email_unwritten_dead_letters",
      help: "Dead letters that the event log has not acknowledged; their partitions wait for them.",
    },
    (set) => set(worker()?.unwrittenDeadLetters ?? 0),
  );
  metrics.gauge(
    {
      name: "instant_email_connected",
      help: "1 while this engine answers, as last seen by the service.",
      labels: ["engine"],
    },
    (set) => {
      for (const [engine, isUp] of Object.entries(worker()?.connected ?? {}))
        set(isUp ? 1 : 0, { engine });
    },
  );
}

/**
 * The gauges of a scrape share one read of the lag; while the log is unavailable they are left out.
 * A deferred mail keeps the commit back for hours and is nobody's delay: where this process has
 * deferred ones, a partition of its own lags by what is at work. Other processes know only what is
 * committed, so the smallest of their values is the true one.
 */
function addLag({ metrics, clock, worker, lag }: WorkerMetricsDeps): void {
  const readLag = async (): Promise<readonly PartitionLag[]> => {
    const { partitions, problem } = await lag.read();
    if (problem !== undefined) return [];
    const subscription = worker()?.subscription;
    if (subscription === undefined || subscription.stats.deferred === 0) return partitions;
    return partitions.map((each) => {
      const atWork = subscription.atWork(each.partition);
      if (atWork === undefined) return each;
      const oldest = Math.min(...atWork.map(({ timestamp }) => timestamp), clock.now());
      return { ...each, records: atWork.length, seconds: (clock.now() - oldest) / 1000 };
    });
  };
  metrics.gauge(
    {
      name: "instant_email_lag_records",
      help: "Records that the group has neither finished nor deferred, by partition.",
      labels: ["partition"],
    },
    async (set) => {
      for (const { partition, records } of await readLag()) set(records, labelsOf(partition));
    },
  );
  metrics.gauge(
    {
      name: "instant_email_lag_seconds",
      help: "Age of the oldest record that the group has neither finished nor deferred, by partition.",
      labels: ["partition"],
    },
    async (set) => {
      for (const { partition, seconds } of await readLag()) set(seconds, labelsOf(partition));
    },
  );
  metrics.gauge(
    {
      name: "instant_email_unreadable_records",
      help: "Records behind a producer's open transaction, which no consumer can read yet, by partition.",
      labels: ["partition"],
    },
    async (set) => {
      for (const { partition, openTransaction } of await readLag())
        set(openTransaction?.records ?? 0, labelsOf(partition));
    },
  );
  metrics.gauge(
    {
      name: "instant_email_unreadable_seconds",
      help: "Age of the open transaction that keeps records from being read, by partition.",
      labels: ["partition"],
    },
    async (set) => {
      for (const { partition, openTransaction } of await readLag())
        set(openTransaction?.seconds ?? 0, labelsOf(partition));
    },
  );
}

function labelsOf(partition: number) {
  return { partition: String(partition) };
}
