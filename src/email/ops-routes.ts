import { withDeadline } from "../core/deadline.ts";
import { errorMessage, isInstantError } from "../core/errors.ts";
import type { HttpAppOptions } from "../core/http/app.ts";
import { createHttpApp } from "../core/http/app.ts";
import type { HttpContext } from "../core/http/environment.ts";
import { renderMetrics } from "../core/http/metrics-route.ts";
import type { Log } from "../core/log.ts";
import type { Metrics } from "../core/metrics.ts";
import type { DeliveryLedger } from "./ledger/delivery-ledger.ts";
import { ledgerTtlMs } from "./ledger/delivery-ledger.ts";

export interface OpsDeps extends HttpAppOptions {
  readonly ledger: DeliveryLedger;
  /** Why no mail starts now; empty when mails flow. */
  readonly reasonsHeld: () => readonly string[];
  /** What stops no mails here, but needs attention: a server that another stands in for, a transaction left open. */
  readonly notices?: () => readonly string[];
  readonly now: () => number;
  readonly metrics: Metrics;
}

const countDeadlineMs = 2000;

/**
 * What a machine asks serve-email: `/health` and `/stats` as in the guide, `/livez` (the process
 * answers) and `/readyz` (mails flow, else 503 with the reasons). Each answers within 2 s.
 */
export function createOpsApp(deps: OpsDeps) {
  const app = createHttpApp({ ...deps, showsRefusal: true });
  app.get("/health", async (context) => health(context, deps));
  app.get("/stats", async (context) => {
    const records = await withDeadline("counting records", countDeadlineMs, deps.ledger.count());
    return context.json({ idempotency_records: records, ttl_hours: ledgerTtlMs / 3_600_000 });
  });
  app.get("/livez", (context) => context.json({ status: "alive" }));
  app.get("/readyz", (context) => {
    const reasons = deps.reasonsHeld();
    const notices = deps.notices?.() ?? [];
    return reasons.length === 0
      ? context.json(notices.length === 0 ? { status: "ready" } : { status: "ready", notices })
      : context.json({ status: "not_ready", reasons }, 503);
  });
  app.get("/metrics", async (context) => renderMetrics(context, deps.metrics));
  return app;
}

/** `idempotency_records` is null, and the status 503, when the ledger does not answer. */
async function health(context: HttpContext, { ledger, log, now }: OpsDeps): Promise<Response> {
  const records = await countOrUndefined(ledger, log);
  const answers = records !== undefined;
  return context.json(
    {
      status: answers ? "healthy" : "unhealthy",
      service: "email-service",
      redis: answers ? ledger.connection : "disconnected",
      idempotency_records: records ?? null,
      timestamp: new Date(now()).toISOString(),
    },
    answers ? 200 : 503,
  );
}

async function countOrUndefined(ledger: DeliveryLedger, log: Log): Promise<number | undefined> {
  if (ledger.connection === "disconnected") return undefined;
  try {
    return await withDeadline("counting records", countDeadlineMs, ledger.count());
  } catch (error) {
    if (!isInstantError(error)) throw error;
    log.warn({ store: "ledger", error: errorMessage(error) }, "Store does not answer");
    return undefined;
  }
}
