import type { Hono } from "hono";
import type { Clock } from "../core/clock.ts";
import type { HttpAppOptions } from "../core/http/app.ts";
import { createHttpApp } from "../core/http/app.ts";
import type { HttpBoundary } from "../core/http/config.ts";
import { crossOriginReads } from "../core/http/cross-origin.ts";
import type { HttpEnvironment } from "../core/http/environment.ts";
import { sameOriginWrites } from "../core/http/same-origin-writes.ts";
import type { Operation } from "../core/openapi/operation.ts";
import type { CodeRouteDeps } from "./code-routes.ts";
import { addCodeRoutes } from "./code-routes.ts";
import { addDocsRoutes } from "./docs-routes.ts";
import { addHealthRoutes } from "./health-routes.ts";
import { logSpentBudgets } from "./limits/spent-log.ts";
import { addPageRoutes } from "./pages/page-routes.ts";
import { problemPage } from "./pages/problem-page.ts";
import { cookieName } from "./session-credential.ts";
import { addSessionRoutes } from "./session-routes.ts";
import type { UserRouteDeps } from "./user-routes.ts";
import { addUserRoutes } from "./user-routes.ts";

export interface AuthAppDeps extends CodeRouteDeps, UserRouteDeps {
  readonly clock: Clock;
  /** As people know the application. */
  readonly appName: string;
  /** Where requests come from, and whose pages may send them. */
  readonly boundary: HttpBoundary;
  /** The page on which whoever has this address chooses which mails come. */
  readonly preferencesPath?: (email: string) => string;
  /** Calls of other rooms whose routes are added to the app: documented with ours. */
  readonly furtherOperations?: readonly Operation[];
  /** Where mails can be read on a developer's machine: asked for when a page would link to it. */
  readonly inboxUrl?: () => string | undefined;
  readonly onRequest?: HttpAppOptions["onRequest"];
}

const apiPaths = ["/auth/*", "/users/*"] as const;
const isApiPath = (path: string) => apiPaths.some((api) => path.startsWith(api.slice(0, -1)));

/** The HTTP app of serve-auth. It opens and closes nothing; more routes may be added to it. */
export function createAuthApp(given: AuthAppDeps): Hono<HttpEnvironment> {
  const deps = { ...given, limits: logSpentBudgets(given.limits, given) };
  const { corsOrigins, publicOrigin, trustedProxies } = deps.boundary;
  const app = createHttpApp({
    log: deps.log,
    trustedProxies,
    ...(deps.onRequest === undefined ? {} : { onRequest: deps.onRequest }),
    drawProblem: (problem, { req }) => {
      return isApiPath(req.path) ? undefined : problemPage(deps.appName, problem, req);
    },
  });
  for (const path of apiPaths) {
    if (corsOrigins.length > 0) app.use(path, crossOriginReads(corsOrigins));
    app.use(path, async (context, next) => {
      await next();
      const { headers } = context.res;
      headers.set("Cache-Control", "no-store"); // the answers are one person's
      headers.append("Vary", "Authorization, Cookie");
    });
    app.use(path, sameOriginWrites({ cookieName, publicOrigin, origins: corsOrigins }));
  }
  addCodeRoutes(app, deps);
  addSessionRoutes(app, deps);
  addUserRoutes(app, deps);
  addHealthRoutes(app, deps);
  const { appName, furtherOperations = [] } = deps;
  addDocsRoutes(app, { appName, publicOrigin, furtherOperations });
  addPageRoutes(app, {
    ...deps,
    codePolicy: deps.codes.policy,
    publicOrigin,
    preferencesPath: deps.preferencesPath,
    inboxUrl: deps.inboxUrl ?? (() => undefined),
  });
  return app;
}
