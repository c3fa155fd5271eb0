import { Metrics } from "../core/metrics.ts";
import { openProcessMetrics } from "../core/process-metrics.ts";
import type { Engines } from "./engines.ts";

/** The registry of one service; it has what the process costs in it already. */
export function openServiceMetrics(engines: Engines, service: "auth" | "email"): Promise<Metrics> {
  return engines.once(`metrics of serve-${service}`, () => {
    const metrics = new Metrics();
    const observed = openProcessMetrics(metrics);
    return Object.assign(metrics, {
      [Symbol.asyncDispose]: async () => observed[Symbol.dispose](),
    });
  });
}
