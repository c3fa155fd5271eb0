import type { MiddlewareHandler } from "hono";
import { Hono } from "hono";
import { methodNotAllowed } from "hono/method-not-allowed";
import { requestId } from "hono/request-id";
import { routePath } from "hono/route";
import { secureHeaders } from "hono/secure-headers";
import { getPath } from "hono/utils/url";
import type { Log } from "../log.ts";
import { createChildContext, parseTraceparent, runInTraceContext } from "../trace-context.ts";
import { bodyLimit } from "./body.ts";
import type { IpNetwork } from "./client-address.ts";
import { clientNetwork } from "./client-address.ts";
import type { HttpEnvironment } from "./environment.ts";
import type { DrawProblem } from "./problem.ts";
import { httpErrors, problemPages, problemResponse, respondToError } from "./problem.ts";

/** A request as it is counted and logged. */
export interface AnsweredRequest {
  readonly method: string;
  /** The pattern of its route; "/*": a path without one. */
  readonly route: string;
  readonly status: number;
  readonly seconds: number;
}

/**
 * One line per request, `HTTP request`, with the pattern of its route: the path and the query may
 * hold a token or an address, so neither is logged ("/*" is a path without a route). A read that
 * succeeded is logged at debug: machines ask every few seconds. `onRequest` hears of each.
 */
function accessLog(
  log: Log,
  onRequest: (request: AnsweredRequest) => void = () => {},
): MiddlewareHandler<HttpEnvironment> {
  return async function accessLog(context, next) {
    const startedAt = performance.now();
    await next();
    const durationMs = performance.now() - startedAt;
    const route = routePath(context, -1);
    const method = context.req.method.slice(0, 16);
    const { status } = context.res;
    onRequest({ method, route, status, seconds: durationMs / 1000 });
    const fields = {
      requestId: context.get("requestId"),
      method,
      route,
      status,
      durationMs: Math.round(durationMs * 10) / 10,
    };
    const isRead = method === "GET" || method === "HEAD";
    if (isRead && context.res.ok) log.debug(fields, "HTTP request");
    else log.info(fields, "HTTP request");
  };
}

/** Goes on with the trace of the request's `traceparent`, or begins one. */
function traceContext(): MiddlewareHandler<HttpEnvironment> {
  return async function traceContext(context, next) {
    const given = parseTraceparent(context.req.header("traceparent"));
    await runInTraceContext(createChildContext(given), next);
  };
}

export interface HttpAppOptions {
  readonly log: Log;
  /** Whose `X-Forwarded-For` is believed; nobody's when left out. */
  readonly trustedProxies?: readonly IpNetwork[];
  /** Hears of each request that was answered. */
  readonly onRequest?: (request: AnsweredRequest) => void;
  /** Operators alone are served: a problem says what an engine said why it refuses. */
  readonly exposesRefusal?: boolean;
  /** How a browser is shown a problem; as JSON, like everybody else, when left out. */
  readonly drawProblem?: DrawProblem;
}

/**
 * The app that each service adds its routes to. Every answer carries `X-Request-Id` (the caller's,
 * when it is 1–64 of letters, digits, `-`, `_`, `=`; else a new one) and the secure headers; every
 * answer that is no success is a problem (RFC 9457); bodies end at 64 KiB. A header that a handler
 * sets itself stays, so a page may bring its own Content-Security-Policy.
 */
export function createHttpApp(options: HttpAppOptions): Hono<HttpEnvironment> {
  const { log, trustedProxies = [], drawProblem, exposesRefusal = false } = options;
  const app = new Hono<HttpEnvironment>({ getPath: pathOf });
  app.use(requestId({ limitLength: 64 }));
  app.use(traceContext());
  app.use(async (context, next) => {
    await next();
    // Hono's own is lost when a handler answers with a Response of its own, as pages do. Not by
    // `context.header`: on an answer that is there it makes another, whose body is a stream.
    context.res.headers.set("X-Request-Id", context.get("requestId"));
  });
  app.use(accessLog(log, options.onRequest));
  app.use(clientNetwork(trustedProxies));
  app.use(
    secureHeaders({
      overwrite: false,
      originAgentCluster: false, // of no use to a single origin, and browsers complain in sandboxed frames
      xFrameOptions: "DENY",
      contentSecurityPolicy: {
        defaultSrc: ["'none'"],
        baseUri: ["'none'"],
        formAction: ["'none'"],
        frameAncestors: ["'none'"],
      },
    }),
  );
  // Inside the headers: a page brings its own Content-Security-Policy.
  if (drawProblem !== undefined) app.use(problemPages(drawProblem));
  app.use(
    methodNotAllowed({
      app,
      onMethodNotAllowed: (context, methods) =>
        problemResponse(context, httpErrors.methodNotAllowed, {
          detail: `Use ${methods.join(" or ")}.`,
          headers: { Allow: methods.join(", ") },
        }),
    }),
  );
  app.use(bodyLimit());
  app.notFound((context) => problemResponse(context, httpErrors.notFound));
  app.onError((error, context) =>
    respondToError(error, context, log, { showsRefusal: exposesRefusal }),
  );
  return app;
}

/** Bun's URL of a request without a usable Host (a load balancer's HTTP/1.0) is the bare path. */
function pathOf(request: Request): string {
  const { url } = request;
  return url.startsWith("/") ? (url.split(/[?#]/, 1)[0] ?? url) : getPath(request);
}
