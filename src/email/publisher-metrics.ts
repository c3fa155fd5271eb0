import type { Metrics } from "../core/metrics.ts";

/** One way of a mail out of its publisher, taken or not. */
export interface PublishedEvent {
  readonly way: "log" | "direct";
  readonly taken: boolean;
  readonly seconds: number;
}

const buckets = [0.002, 0.005, 0.01, 0.025, 0.05, 0.1, 0.25, 0.5, 1, 2.5, 5, 10];

/** What a publisher tells Prometheus. `isLogAway`: whether events go the direct way now. */
export function createPublisherMetrics(
  metrics: Metrics,
  isLogAway: () => boolean,
): (published: PublishedEvent) => void {
  const durations = metrics.histogram({
    name: "instant_email_publish_duration_seconds",
    help: "Until an event was acknowledged by the event log (log) or its mail by the SMTP server (direct); taken=false: it was not.",
    labels: ["way", "taken"],
    buckets,
  });
  metrics.gauge(
    {
      name: "instant_email_log_away",
      help: "1 while the event log is away and mails are delivered directly.",
    },
    (set) => set(isLogAway() ? 1 : 0),
  );
  return ({ way, taken, seconds }) => durations.observe(seconds, { way, taken: String(taken) });
}
