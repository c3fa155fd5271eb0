// The operators' site: login, and the routes of its pages.
import type { Hono } from "hono";
import { errorMessage, isInstantError } from "../../core/errors.ts";
import { Button, Field, frameIcon } from "../../core/html/page.tsx";
import type { HttpAppOptions } from "../../core/http/app.ts";
import { createHttpApp } from "../../core/http/app.ts";
import { isForwarded, requestOrigin } from "../../core/http/client-address.ts";
import { hasToken, renderMetrics } from "../../core/http/metrics.ts";
import type { HttpContext, HttpEnvironment } from "../../core/http/problem.ts";
import { httpErrors, problemResponse } from "../../core/http/problem.ts";
import type { Log } from "../../core/log.ts";
import type { Metrics } from "../../core/metrics.ts";
import { withDeadline } from "../../core/time.ts";
import type { DeliveryLedger } from "../ledger/delivery-ledger.ts";
import { ledgerTtlMs } from "../ledger/delivery-ledger.ts";
import type { TimelineDeps } from "../timeline/timeline.ts";
import type { OpsAccess } from "./access.ts";
import {
  beginSession,
  checkToken,
  endSession,
  isClosed,
  operatorsOnly,
  opsErrors,
} from "./access.ts";
import type { OpsSnapshot } from "./dashboard.tsx";
import { dashboardPage } from "./dashboard.tsx";
import type { DeadLetterRouteDeps } from "./dead-letter-routes.tsx";
import { addDeadLetterRoutes } from "./dead-letter-routes.tsx";
import type { LiveFeed } from "./live-feed.ts";
import type { OpsSite } from "./ops-page.tsx";
import { opsIconPath, opsPage } from "./ops-page.tsx";
import { addMessageRoutes, addSearchRoutes } from "./search.tsx";

/** `retryAfterSeconds`: every token is refused until then. */
function loginPage(
  site: OpsSite,
  failure?: { readonly status: number; readonly retryAfterSeconds?: number | undefined },
): Response {
  const { status = 200, retryAfterSeconds } = failure ?? {};
  const minutes = Math.ceil((retryAfterSeconds ?? 0) / 60);
  const error =
    retryAfterSeconds === undefined
      ? "Wrong token."
      : `Too many wrong tokens. Try again in ${minutes} min.`;
  return opsPage({
    site,
    title: "Sign in",
    place: undefined,
    status,
    content: (
      <div class="card stack">
        <h1>Operator sign-in</h1>
        <p class="lead">Sign in with the OPS_TOKEN that serve-email was started with.</p>
        <form class="stack" method="post" action="/login">
          <input type="text" name="username" value="operator" autocomplete="username" hidden />
          <Field
            id="token"
            label="Token"
            error={failure === undefined ? undefined : error}
            input={(attributes) => (
              <input
                {...attributes}
                name="token"
                type="password"
                autocomplete="current-password"
                maxlength={4096}
                required
              />
            )}
          />
          <Button variant="main" wide>
            Sign in
          </Button>
        </form>
      </div>
    ),
  });
}

interface LoginDeps {
  readonly access: OpsAccess;
  readonly site: OpsSite;
  readonly log: Log;
}

/** `/login` and `/logout`, without authentication, but only for forms of our own pages. */
export function addSiteLogin(app: Hono<HttpEnvironment>, { access, site, log }: LoginDeps): void {
  app.use("/login", async (context, next) => {
    return isClosed(access) ? problemResponse(context, opsErrors.closed) : next();
  });
  app.get("/login", (context) =>
    access.token === undefined ? context.redirect("/", 303) : loginPage(site),
  );
  app.post("/login", async (context) => {
    if (requestOrigin(context) !== "same") return problemResponse(context, httpErrors.crossOrigin);
    if (access.token === undefined) return context.redirect("/", 303);
    const token = new URLSearchParams(await context.req.text()).get("token") ?? "";
    const refused = checkToken(context, access, token);
    if (refused === undefined) {
      beginSession(context, access);
      return context.redirect("/", 303);
    }
    log.warn({ client: context.get("client") }, "Login to the operations pages failed");
    const seconds = refused.headers.get("Retry-After");
    const retryAfterSeconds = seconds === null ? undefined : Number(seconds);
    return loginPage(site, { status: refused.status, retryAfterSeconds });
  });
  app.post("/logout", (context) => {
    if (requestOrigin(context) !== "same") return problemResponse(context, httpErrors.crossOrigin);
    endSession(context);
    return context.redirect("/login", 303);
  });
}

interface SiteDeps extends DeadLetterRouteDeps, TimelineDeps {
  readonly site: OpsSite;
  readonly access: OpsAccess;
  readonly feed: LiveFeed;
  readonly snapshot: () => Promise<OpsSnapshot>;
  readonly log: Log;
}

const guarded = [
  "/",
  "/live",
  "/search",
  "/mails/*",
  "/messages/*",
  "/dead-letters/*",
  "/replay",
] as const;

/**
 * The pages for operators, and `GET /messages/:id`, all behind `operatorsOnly`. The pages work without
 * JavaScript, which only updates the dashboard and the progress of a replay.
 */
export function addSiteRoutes(app: Hono<HttpEnvironment>, deps: SiteDeps): void {
  const { site, access, feed } = deps;
  const operators = operatorsOnly(access);
  for (const path of guarded) app.use(path, operators);
  app.get(opsIconPath, (context) =>
    context.body(frameIcon(site.appName), 200, {
      "Content-Type": "image/svg+xml",
      "Cache-Control": "public, max-age=86400",
    }),
  );
  addSiteLogin(app, deps);
  app.get("/", async () => dashboardPage(site, await deps.snapshot()));
  app.get("/live", (context) => {
    return feed.watch() ?? problemResponse(context, opsErrors.tooManyWatchers);
  });
  addSearchRoutes(app, deps);
  addDeadLetterRoutes(app, deps);
  addMessageRoutes(app, deps);
}

interface OpsDeps extends HttpAppOptions {
  readonly ledger: DeliveryLedger;
  /** Why delivery is paused; empty while it runs. */
  readonly pausedReasons: () => readonly string[];
  /**
   * What needs attention without stopping delivery: a server that is down while another is used, a
   * transaction left open.
   */
  readonly notices?: () => readonly string[];
  readonly now: () => number;
  readonly metrics: Metrics;
  /** With it the metrics are also served through a proxy. */
  readonly metricsToken: string | undefined;
}

const countDeadlineMs = 2000;

/**
 * serve-email's endpoints for machines: `/health` and `/stats` as in the guide, `/livez` (the process
 * answers), `/readyz` (delivery runs, else 503 with the reasons) and `/metrics`. Each answers within
 * 2 s.
 */
export function createOpsApp(deps: OpsDeps) {
  const app = createHttpApp({ ...deps, exposesRefusal: true });
  app.get("/health", async (context) => health(context, deps));
  app.get("/stats", async (context) => {
    const records = await withDeadline("counting records", countDeadlineMs, deps.ledger.count());
    return context.json({ idempotency_records: records, ttl_hours: ledgerTtlMs / 3_600_000 });
  });
  app.get("/livez", (context) => context.json({ status: "alive" }));
  app.get("/readyz", (context) => {
    const reasons = deps.pausedReasons();
    const notices = deps.notices?.() ?? [];
    return reasons.length === 0
      ? context.json(notices.length === 0 ? { status: "ready" } : { status: "ready", notices })
      : context.json({ status: "not_ready", reasons }, 503);
  });
  // Prometheus asks directly; a proxy may pass on anybody's request.
  const { metrics, metricsToken } = deps;
  app.get("/metrics", async (context) => {
    const mayRead =
      !isForwarded(context) || (metricsToken !== undefined && hasToken(context, metricsToken));
    return mayRead ? renderMetrics(context, metrics) : context.notFound();
  });
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
