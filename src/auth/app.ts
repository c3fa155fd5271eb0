import type { Hono } from "hono";
import type { HttpAppOptions } from "../core/http/app.ts";
import { createHttpApp } from "../core/http/app.ts";
import type { HttpEnvironment } from "../core/http/environment.ts";
import { crossOriginReads, sameOriginWrites } from "../core/http/origins.ts";
import type { Metrics } from "../core/metrics.ts";
import type { Operation } from "../core/openapi/operation.ts";
import { addOperation } from "../core/openapi/operation.ts";
import type { CodeStore, PreparedCodes } from "./codes/code-store.ts";
import { cookieName } from "./current-session.ts";
import { addDocsRoutes, authOperations } from "./docs-routes.ts";
import type { Limits } from "./limits/limits.ts";
import type { PageDeps } from "./pages/page-context.ts";
import { addPageRoutes, problemPage } from "./pages/page-routes.ts";
import { attemptsScope, logExhaustedLimits } from "./rate-limited.ts";

export interface AuthAppDeps extends PageDeps {
  /**
   * API calls of other modules whose routes are added to the app, so that they are documented too.
   */
  readonly furtherOperations?: readonly Operation[];
  readonly onRequest?: HttpAppOptions["onRequest"];
}

const apiPaths = ["/auth/*", "/users/*"] as const;
const isApiPath = (path: string) => apiPaths.some((api) => path.startsWith(api.slice(0, -1)));

/** The HTTP app of serve-auth. It owns no resources; callers may add routes. */
export function createAuthApp(given: AuthAppDeps): Hono<HttpEnvironment> {
  const deps = { ...given, limits: logExhaustedLimits(given.limits, given) };
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
      headers.set("Cache-Control", "no-store"); // each answer is personal
      headers.append("Vary", "Authorization, Cookie");
    });
    app.use(path, sameOriginWrites({ cookieName, publicOrigin, origins: corsOrigins }));
  }
  for (const route of authOperations) {
    addOperation(app, route, (context) => route.handle(context, deps));
  }
  const { appName, furtherOperations = [] } = deps;
  addDocsRoutes(app, { appName, publicOrigin, furtherOperations });
  addPageRoutes(app, deps);
  return app;
}

interface CountedStores {
  readonly codes: CodeStore;
  readonly limits: Limits;
}

/**
 * Wraps the stores of codes and limits so that their answers are counted, whichever page or call
 * caused them.
 */
export function createStoreMetrics(metrics: Metrics): (stores: CountedStores) => CountedStores {
  const issues = metrics.counter({
    name: "instant_auth_codes_requested_total",
    help: "Code requests: issued, repeated (the same mail again), or rate_limited.",
    labels: ["purpose", "outcome"],
  });
  const checks = metrics.counter({
    name: "instant_auth_code_verifications_total",
    help: "Codes that were entered: verified, wrong, or locked (after too many wrong ones).",
    labels: ["purpose", "outcome"],
  });
  const rateLimited = metrics.counter({
    name: "instant_auth_rate_limited_total",
    help: "Requests refused by a rate limit, by the limit's scope.",
    labels: ["scope"],
  });
  return (stores) => ({ codes: countCodes(stores.codes), limits: countLimits(stores.limits) });

  function countCodes(codes: CodeStore): CodeStore {
    const prepare = (email: string) => countCalls(codes.prepare(email));
    return { ...codes, ...countCalls(codes), prepare };
  }

  function countCalls(codes: PreparedCodes): PreparedCodes {
    return {
      issue: async (request) => {
        const outcome = await codes.issue(request);
        issues.add({ purpose: request.purpose, outcome: outcome.kind });
        if (outcome.kind === "rate_limited") {
          rateLimited.add({
            scope: outcome.limit === "codes" ? "codes-per-email" : "repeats-per-code",
          });
        }
        return outcome;
      },
      verify: async (request) => {
        const outcome = await codes.verify(request);
        checks.add({ purpose: request.purpose, outcome: outcome.kind });
        if (outcome.kind === "locked") rateLimited.add({ scope: attemptsScope });
        return outcome;
      },
    };
  }

  function countLimits(limits: Limits): Limits {
    return {
      ...limits,
      take: async (request) => {
        const outcome = await limits.take(request);
        if (outcome.kind === "rate_limited") rateLimited.add({ scope: outcome.limit.scope });
        return outcome;
      },
    };
  }
}
