import { monitorEventLoopDelay } from "node:perf_hooks";
import type { Metrics } from "./metrics.ts";

/** How often the event loop is looked at: cheap, and finds what blocks it for longer. */
const lookEveryMs = 100;

/**
 * What the process itself costs, under the names that Prometheus' own clients use. Dispose of it to
 * end the look at the event loop.
 */
export function openProcessMetrics(metrics: Metrics): Disposable {
  const delays = monitorEventLoopDelay({ resolution: lookEveryMs });
  delays.enable();
  const startedAt = Date.now() / 1000 - process.uptime();
  metrics.countElsewhere(
    { name: "process_cpu_seconds_total", help: "CPU time of the process, user and system." },
    () => {
      const { user, system } = process.cpuUsage();
      return (user + system) / 1_000_000;
    },
  );
  metrics.gauge(
    { name: "process_resident_memory_bytes", help: "Memory that the process holds." },
    (set) => set(process.memoryUsage.rss()),
  );
  metrics.gauge(
    { name: "process_start_time_seconds", help: "When the process started, Unix time." },
    (set) => set(startedAt),
  );
  metrics.gauge(
    {
      name: "instant_event_loop_lag_seconds",
      help: "The longest time the event loop was blocked since this was last asked.",
    },
    (set) => {
      set(delays.max / 1e9);
      delays.reset();
    },
  );
  return { [Symbol.dispose]: () => delays.disable() };
}
