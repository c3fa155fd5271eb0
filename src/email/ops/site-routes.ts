import type { Hono } from "hono";
import { frameIcon } from "../../core/html/frame.tsx";
import type { HttpEnvironment } from "../../core/http/environment.ts";
import { problemResponse } from "../../core/http/problem.ts";
import type { Log } from "../../core/log.ts";
import { addMessageRoutes } from "../trace/message-routes.ts";
import type { TraceDeps } from "../trace/trace.ts";
import type { OpsAccess } from "./access.ts";
import { operatorsOnly } from "./access.ts";
import { opsErrors } from "./error-codes.ts";
import type { LetterRouteDeps } from "./letter-routes.ts";
import { addLetterRoutes } from "./letter-routes.ts";
import type { LiveFeed } from "./live-feed.ts";
import { addSiteLogin } from "./login-routes.ts";
import { dashboardPage } from "./pages/dashboard.tsx";
import type { OpsSite } from "./pages/ops-page.tsx";
import { opsIconPath } from "./pages/ops-page.tsx";
import { addSearchRoutes } from "./search-routes.ts";
import type { OpsSnapshot } from "./snapshot.ts";

export interface SiteDeps extends LetterRouteDeps, TraceDeps {
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
 * The pages for operators, and `GET /messages/:id`. Everything is behind `operatorsOnly`; the pages
 * work without a script, which only keeps the dashboard and the progress of a replay fresh.
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
  addLetterRoutes(app, deps);
  addMessageRoutes(app, deps);
}
