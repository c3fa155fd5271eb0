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

/** An answered request, for the log and the metrics. */
export interface AnsweredRequest {
  readonly method: string;
  /** The route's pattern; "/*": no route matched. */
  readonly route: string;
  readonly status: number;
  readonly seconds: number;
}

/**
 * One line per request, `HTTP request`, with the route's pattern: path and query may contain a
 * token or an address, so neither is logged. Successful reads are logged at debug level, because
 * probes are sent every few seconds. `onRequest` is called for each.
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

/** Continues the trace of the request's `traceparent`, or starts one. */
function traceContext(): MiddlewareHandler<HttpEnvironment> {
  return async function traceContext(context, next) {
    const given = parseTraceparent(context.req.header("traceparent"));
    await runInTraceContext(createChildContext(given), next);
  };
}

export interface HttpAppOptions {
  readonly log: Log;
  /** Proxies whose `X-Forwarded-For` is trusted; none when left out. */
  readonly trustedProxies?: readonly IpNetwork[];
  /** Called for each answered request. */
  readonly onRequest?: (request: AnsweredRequest) => void;
  /** For operators only: problems include why an engine refused. */
  readonly exposesRefusal?: boolean;
  /** Renders problems for browsers; JSON when left out. */
  readonly drawProblem?: DrawProblem;
}

/**
 * The app to which each service adds its routes. Every response has `X-Request-Id` (the caller's if
 * it is 1–64 letters, digits, `-`, `_`, `=`, else a new one) and the security headers; every response
 * that is not a success is a problem (RFC 9457); bodies are limited to 64 KiB. A header set by a
 * handler is kept, so a page can have its own Content-Security-Policy.
 */
export function createHttpApp(options: HttpAppOptions): Hono<HttpEnvironment> {
  const { log, trustedProxies = [], drawProblem, exposesRefusal = false } = options;
  const app = new Hono<HttpEnvironment>({ getPath: pathOf });
  app.use(requestId({ limitLength: 64 }));
  app.use(traceContext());
  app.use(async (context, next) => {
    await next();
    // Hono's own header is lost when a handler returns its own Response, as pages do.
    // `context.header` would copy a finished response into one with a streamed body.
    context.res.headers.set("X-Request-Id", context.get("requestId"));
  });
  app.use(accessLog(log, options.onRequest));
  app.use(clientNetwork(trustedProxies));
  app.use(
    secureHeaders({
      overwrite: false,
      originAgentCluster: false, // useless for a single origin, and browsers warn in sandboxed frames
      xFrameOptions: "DENY",
      contentSecurityPolicy: {
        defaultSrc: ["'none'"],
        baseUri: ["'none'"],
        formAction: ["'none'"],
        frameAncestors: ["'none'"],
      },
    }),
  );
  // Inside secureHeaders, because a page has its own Content-Security-Policy.
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

/** Without a usable Host (a load balancer's HTTP/1.0) Bun's request URL is the bare path. */
function pathOf(request: Request): string {
  const { url } = request;
  return url.startsWith("/") ? (url.split(/[?#]/, 1)[0] ?? url) : getPath(request);
}
