// serve-auth's HTTP app: health, the API document, the routes of sign-in, and its pages.
import type { Hono } from "hono";
import { z } from "zod";
import packageJson from "../../package.json" with { type: "json" };
import { errorMessage, isInstantError } from "../core/errors.ts";
import type { HttpAppOptions } from "../core/http/app.ts";
import { createHttpApp } from "../core/http/app.ts";
import { crossOriginReads, refuseForeignWrite } from "../core/http/client-address.ts";
import { cookieNameOf } from "../core/http/cookies.ts";
import { switchLanguage } from "../core/http/page-language.ts";
import type { HttpEnvironment } from "../core/http/problem.ts";
import { isStopping } from "../core/http/problem.ts";
import type { Metrics } from "../core/metrics.ts";
import type { Operation } from "../core/openapi/create-document.ts";
import { addOperation, createOpenApiDocument } from "../core/openapi/create-document.ts";
import { docsPage } from "../core/openapi/docs-page.tsx";
import { withDeadline } from "../core/time.ts";
import {
  changeUserRoute,
  deleteUserRoute,
  getMeRoute,
  getUserRoute,
  requestDeletionRoute,
} from "./account-routes.ts";
import type { AuthDeps, AuthRoute } from "./auth-deps.ts";
import type { CodeStore, PreparedCodes } from "./codes/code-store.ts";
import { requestEmailRoute, undoEmailRoute, verifyEmailRoute } from "./email-change.ts";
import type { Limits } from "./limits/limits.ts";
import type { PageDeps } from "./pages/page-context.tsx";
import { pageViewOf } from "./pages/page-context.tsx";
import { addPageRoutes, problemPage } from "./pages/page-routes.tsx";
import { attemptsScopeOf, codesScopeOf, logExhaustedLimits } from "./rate-limited.ts";
import { requestCodeRoute } from "./request-code.ts";
import { authErrors } from "./schemas.ts";
import {
  currentSessionRoute,
  listSessionsRoute,
  logoutRoute,
  revokeOthersRoute,
  revokeSessionRoute,
  sessionCookie,
} from "./session-routes.ts";
import { dropChangedUsers } from "./sessions/session-store.ts";
import { verifyCodeRoute } from "./verify-code.ts";

// `/health`: 200 `healthy`, or 503 `unhealthy` when a store of this service does not answer; both
// list the state of each store, within 2 s. `/livez`: the process answers. `/readyz`: as `/health`,
// with the reasons. Kafka is not checked: while it is unavailable, mails are delivered directly.

const group = "Health";
const storeNames = ["codes", "limits", "sessions", "users"] as const;
const connection = z.enum(["connected", "embedded", "disconnected"]);

const healthAnswer = z
  .object({
    status: z.enum(["healthy", "unhealthy"]),
    service: z.string(),
    codes: connection,
    limits: connection,
    sessions: connection,
    users: connection,
    timestamp: z.string().meta({ format: "date-time" }),
  })
  .meta({ id: "Health" });

const healthRoute: AuthRoute = {
  id: "getHealth",
  method: "get",
  path: "/health",
  group,
  summary: "The state of the service and its stores",
  access: "anyone",
  answer: { status: 200, description: "All stores answer.", schema: healthAnswer },
  otherwise: { status: 503, description: "A store does not answer.", schema: healthAnswer },
  storeless: true,
  handle: async (context, deps) => {
    const stores = await pingStores(deps);
    const healthy = reasonsNotReady(stores).length === 0;
    const body = {
      status: healthy ? "healthy" : "unhealthy",
      service: "auth-service",
      ...Object.fromEntries(stores.map(({ name, connection }) => [name, connection])),
      timestamp: new Date(deps.clock.now()).toISOString(),
    };
    return context.json(body, healthy ? 200 : 503);
  },
};

const livenessRoute: AuthRoute = {
  id: "getLiveness",
  method: "get",
  path: "/livez",
  group,
  summary: "Whether the process is alive",
  access: "anyone",
  answer: {
    status: 200,
    description: "The process is alive.",
    schema: z.object({ status: z.literal("alive") }).meta({ id: "Liveness" }),
  },
  storeless: true,
  handle: (context) => context.json({ status: "alive" }),
};

const readyAnswer = z.object({ status: z.literal("ready") }).meta({ id: "Ready" });
const notReadyAnswer = z
  .object({ status: z.literal("not_ready"), reasons: z.array(z.string()) })
  .meta({ id: "NotReady" });

const readinessRoute: AuthRoute = {
  id: "getReadiness",
  method: "get",
  path: "/readyz",
  group,
  summary: "Whether the service can take requests",
  access: "anyone",
  answer: { status: 200, description: "The service is ready.", schema: readyAnswer },
  otherwise: {
    status: 503,
    description: "The service is not ready, with the reasons.",
    schema: notReadyAnswer,
  },
  storeless: true,
  handle: async (context, deps) => {
    const reasons = isStopping(context)
      ? ["the service is stopping"]
      : reasonsNotReady(await pingStores(deps));
    if (reasons.length === 0) return context.json({ status: "ready" });
    return context.json({ status: "not_ready", reasons }, 503);
  },
};

interface StoreState {
  readonly name: (typeof storeNames)[number];
  readonly connection: z.infer<typeof connection>;
  /** The answer of a store that is reachable, but refuses requests now. */
  readonly refusal?: unknown;
}

const pingDeadlineMs = 2_000;

function pingStores(deps: AuthDeps): Promise<StoreState[]> {
  return Promise.all(storeNames.map((name) => pingStore(name, deps)));
}

async function pingStore(name: StoreState["name"], deps: AuthDeps): Promise<StoreState> {
  const store = deps[name];
  const deadlineMs = pingDeadlineMs;
  try {
    await withDeadline(`ping of ${name}`, deadlineMs, store.ping({ deadlineMs }));
    return { name, connection: store.embedded ? "embedded" : "connected" };
  } catch (error) {
    deps.log.warn({ store: name, error: errorMessage(error) }, "Store does not answer");
    const refusal = isInstantError(error) ? error.details["refusal"] : undefined;
    return { name, connection: "disconnected", refusal };
  }
}

function reasonsNotReady(stores: readonly StoreState[]): string[] {
  return stores
    .filter(({ connection }) => connection === "disconnected")
    .map(({ name, refusal }) => {
      const reason = `the ${name} store is unavailable`;
      return refusal === undefined ? reason : `${reason}: ${refusal}`;
    });
}

/** Every call of the sign-in API, in the order of their use. */
export const authOperations: readonly AuthRoute[] = [
  requestCodeRoute,
  verifyCodeRoute,
  currentSessionRoute,
  listSessionsRoute,
  revokeSessionRoute,
  revokeOthersRoute,
  logoutRoute,
  getUserRoute,
  getMeRoute,
  changeUserRoute,
  requestEmailRoute,
  verifyEmailRoute,
  undoEmailRoute,
  requestDeletionRoute,
  deleteUserRoute,
  healthRoute,
  livenessRoute,
  readinessRoute,
];

interface DocsDeps {
  readonly appName: string;
  readonly publicOrigin: string | undefined;
  /** The full name of the session's cookie. */
  readonly cookieName: string;
  readonly furtherOperations: readonly Operation[];
}

const description = (cookieName: string) =>
  `Sign-in without passwords: a code comes by e-mail, and entering it opens a session. Errors are problems as in RFC 9457; every 429 says in Retry-After and in its body when to try again. A session is sent as the cookie ${cookieName} or as a Bearer token; with the cookie, a write must come from a page of the same origin.`;

/**
 * `GET /openapi.json`, and `GET /docs` for people. The document never changes; it is created on the
 * first request, for a faster start.
 */
function addDocsRoutes(app: Hono<HttpEnvironment>, deps: DocsDeps): void {
  const { appName, publicOrigin, cookieName, furtherOperations } = deps;
  let made: ReturnType<typeof createOpenApiDocument> | undefined;
  const getDocument = () => {
    made ??= createOpenApiDocument({
      title: `${appName}: sign-in API`,
      version: packageJson.version,
      description: description(cookieName),
      serverUrl: publicOrigin,
      operations: [...authOperations, ...furtherOperations],
      cookieName,
      unauthenticated: authErrors.unauthenticated,
    });
    return made;
  };
  app.get("/openapi.json", (context) => {
    context.header("Cache-Control", "public, max-age=300");
    return context.json(getDocument());
  });
  app.get("/docs", (context) => {
    const { url } = context.req; // the bare path without a usable Host
    const baseUrl = publicOrigin ?? (URL.canParse(url) ? new URL(url).origin : "");
    return docsPage({ document: getDocument(), appName, baseUrl });
  });
}

export interface AuthAppDeps extends PageDeps {
  /**
   * API calls of other modules whose routes are added to the app, so that they are documented too.
   */
  readonly furtherOperations?: readonly Operation[];
  readonly onRequest?: HttpAppOptions["onRequest"];
}

const apiPaths = ["/auth/*", "/users/*"] as const;
const isApiPath = (path: string) => path.startsWith("/auth/") || path.startsWith("/users/");

/** The HTTP app of serve-auth. It owns no resources; callers may add routes. */
export function createAuthApp(given: AuthAppDeps): Hono<HttpEnvironment> {
  const deps = {
    ...given,
    limits: logExhaustedLimits(given.limits, given),
    users: dropChangedUsers(given.users, given.sessions),
  };
  const { corsOrigins, publicOrigin, trustedProxies, hstsSubdomains } = deps.boundary;
  const cookie = sessionCookie(deps);
  const writers = { cookie, publicOrigin, origins: corsOrigins };
  const app = createHttpApp({
    log: deps.log,
    trustedProxies,
    hstsSubdomains,
    ...(deps.onRequest === undefined ? {} : { onRequest: deps.onRequest }),
    drawProblem: (problem, context) => {
      const { req } = context;
      if (isApiPath(req.path)) return undefined;
      return problemPage(pageViewOf(context, deps), problem, req);
    },
    before: (context) => {
      return isApiPath(context.req.path)
        ? refuseForeignWrite(context, writers)
        : switchLanguage(context, { secure: deps.secureCookies });
    },
    after: ({ req, res: { headers } }) => {
      if (!isApiPath(req.path)) return;
      headers.set("Cache-Control", "no-store"); // each answer is personal
      headers.append("Vary", "Authorization, Cookie");
    },
  });
  if (corsOrigins.length > 0) {
    for (const path of apiPaths) app.use(path, crossOriginReads(corsOrigins));
  }
  for (const route of authOperations) {
    addOperation(app, route, (context) => route.handle(context, deps));
  }
  const { appName, furtherOperations = [] } = deps;
  const cookieName = cookieNameOf(cookie);
  addDocsRoutes(app, { appName, publicOrigin, cookieName, furtherOperations });
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
    help: "Codes that were entered: verified, wrong, used (again), or locked (after too many wrong ones).",
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
        if (outcome.kind === "unknown_device") return outcome; // requested again without the device
        issues.add({ purpose: request.purpose, outcome: outcome.kind });
        if (outcome.kind === "rate_limited") {
          rateLimited.add({ scope: codesScopeOf(outcome.limit, request.device) });
        }
        return outcome;
      },
      verify: async (request) => {
        const outcome = await codes.verify(request);
        if (outcome.kind === "unknown_device") return outcome;
        checks.add({ purpose: request.purpose, outcome: outcome.kind });
        if (outcome.kind === "locked") rateLimited.add({ scope: attemptsScopeOf(request.device) });
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
