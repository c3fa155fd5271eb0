import { createAuthMeasures } from "../../src/compose/serve-auth.ts";
import { createRequestMetrics } from "../../src/core/http/metrics.ts";
import type { MetricRow } from "../../src/core/metrics.ts";
import { Metrics, openProcessMetrics } from "../../src/core/metrics.ts";
import { systemClock } from "../../src/core/time.ts";
import { createWorkerMetrics } from "../../src/email/delivery/metrics.ts";
import { createMailerMetrics } from "../../src/email/mailer/mail-servers.ts";

/** What serve-auth has at /metrics: registered as when it runs, with nothing behind it. */
export function listAuthMetrics(): readonly MetricRow[] {
  const metrics = new Metrics();
  using _ = openProcessMetrics(metrics);
  createAuthMeasures(metrics, () => false);
  return metrics.rows;
}

/** What serve-email has at /metrics. */
export function listEmailMetrics(): readonly MetricRow[] {
  const metrics = new Metrics();
  using _ = openProcessMetrics(metrics);
  createRequestMetrics(metrics);
  createMailerMetrics(metrics, systemClock);
  const lag = { read: async () => ({ partitions: [], problem: undefined }) };
  createWorkerMetrics({ metrics, clock: systemClock, worker: () => undefined, lag });
  return metrics.rows;
}

/** The tables of docs/operating.md. */
export function renderMetricTables(): string {
  return [
    "### serve-email\n",
    table(listEmailMetrics()),
    "\n### serve-auth\n",
    table(listAuthMetrics()),
  ].join("\n");
}

function table(rows: readonly MetricRow[]): string {
  const lines = rows.map(({ name, kind, labels, help }) => {
    const by = labels.length === 0 ? "–" : labels.map((label) => `\`${label}\``).join(", ");
    return `| \`${name}\` | ${kind} | ${by} | ${help} |`;
  });
  return ["| Metric | Kind | By | What it says |", "|---|---|---|---|", ...lines].join("\n");
}
