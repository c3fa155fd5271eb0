// The HTTP app that each service adds its routes to, its metrics, and its settings.
import type { MiddlewareHandler } from "hono";
import { Hono } from "hono";
import { methodNotAllowed } from "hono/method-not-allowed";
import { routePath } from "hono/route";
import { getPath } from "hono/utils/url";
import type { ConfigProblem, ConfigValues } from "../config.ts";
import { setting } from "../config.ts";
import type { Log, TraceContext } from "../log.ts";
import { createChildContext, logText, parseTraceparent, runInTraceContext } from "../log.ts";
import type { Metrics } from "../metrics.ts";
import { equalSecret } from "../secret.ts";
import { limitBody } from "./body.ts";
import type { IpNetwork } from "./client-address.ts";
import { clientOf, loopbackOnly, parseIpNetwork } from "./client-address.ts";
import { addSecurityHeaders } from "./headers.ts";
import type { DrawProblem, HttpContext, HttpEnvironment } from "./problem.ts";
import { drawPage, httpErrors, isStopping, problemResponse, respondToError } from "./problem.ts";

/** An answered request, for the log and the metrics. */
interface AnsweredRequest {
  readonly method: string;
  /** The route's pattern; "/*": no route matched. */
  readonly route: string;
  readonly status: number;
  readonly seconds: number;
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
  /** Runs before the handlers; may answer in their place. */
  readonly before?: (context: HttpContext) => Response | undefined;
  /** Runs on each response, whoever made it. */
  readonly after?: (context: HttpContext) => void;
}

/**
 * The app to which each service adds its routes. Every response has `X-Request-Id` (the caller's if
 * it is 1–64 letters, digits, `-`, `_`, `=`, else a new one) and the security headers; every response
 * that is not a success is a problem (RFC 9457); bodies are limited to 64 KiB. A header set by a
 * handler is kept, so a page can have its own Content-Security-Policy.
 */
export function createHttpApp(options: HttpAppOptions): Hono<HttpEnvironment> {
  const { log, exposesRefusal = false } = options;
  const app = new Hono<HttpEnvironment>({ getPath: pathOf });
  app.use(createChain(app, options));
  app.notFound((context) => problemResponse(context, httpErrors.notFound));
  app.onError((error, context) =>
    respondToError(error, context, log, { showsRefusal: exposesRefusal }),
  );
  return app;
}

const requestIdShape = /^[\w\-=]{1,64}$/;

/**
 * What every request passes, as one function: each middleware of its own costs a promise, a closure
 * and a look at the headers. Around the handler, from the outside in: request id and trace, the log
 * line, security headers, problem pages, 405, the body's limit, and the app's own `before` and
 * `after`.
 */
function createChain(
  app: Hono<HttpEnvironment>,
  options: HttpAppOptions,
): MiddlewareHandler<HttpEnvironment> {
  const { trustedProxies = [], drawProblem, before, after } = options;
  const report = createReport(options);
  const refuseMethod = methodNotAllowed({
    app,
    onMethodNotAllowed: (context, methods) =>
      problemResponse(context, httpErrors.methodNotAllowed, {
        detail: `Use ${methods.join(" or ")}.`,
        headers: { Allow: methods.join(", ") },
      }),
  });

  return (context, next) => {
    const startedAt = performance.now();
    const { headers } = context.req.raw;
    const given = headers.get("X-Request-Id");
    const requestId = given !== null && requestIdShape.test(given) ? given : crypto.randomUUID();
    context.set("requestId", requestId);
    context.set("client", clientOf(context, trustedProxies));
    const trace = createChildContext(parseTraceparent(headers.get("traceparent") ?? undefined));
    return runInTraceContext(trace, async () => {
      const reading = limitBody(context);
      const refused = (reading && (await reading)) ?? before?.(context);
      if (refused === undefined) await next();
      else context.res = refused;
      after?.(context);
      if (context.res.status === 404) await refuseMethod(context, nothing);
      if (drawProblem !== undefined && !context.res.ok) await drawPage(context, drawProblem);
      const { headers: answered } = context.res;
      addSecurityHeaders(answered);
      answered.set("X-Request-Id", requestId);
      if (isStopping(context)) answered.set("Connection", "close");
      report(context, performance.now() - startedAt, trace);
    });
  };
}

async function nothing(): Promise<void> {}

/**
 * One line per request, `HTTP request`, with the route's pattern: path and query may contain a
 * token or an address, so neither is logged. Successful reads are logged at debug level, because
 * probes are sent every few seconds. `onRequest` is called for each.
 */
function createReport({ log, onRequest = () => {} }: HttpAppOptions) {
  return (context: HttpContext, tookMs: number, trace: TraceContext): void => {
    const route = routePath(context, -1);
    const method = context.req.method.slice(0, 16);
    const { status, ok } = context.res;
    onRequest({ method, route, status, seconds: tookMs / 1000 });
    const requestId = context.get("requestId");
    const durationMs = Math.round(tookMs * 10) / 10;
    if (ok && (method === "GET" || method === "HEAD")) {
      log.debug({ requestId, method, route, status, durationMs }, "HTTP request");
      return;
    }
    const texts = `"method":${JSON.stringify(method)},"route":${JSON.stringify(route)}`;
    const fields = `"requestId":"${requestId}",${texts},"status":${status},"durationMs":${durationMs}`;
    logText(log, fields, "HTTP request", trace);
  };
}

/** Without a usable Host (a load balancer's HTTP/1.0) Bun's request URL is the bare path. */
function pathOf(request: Request): string {
  const { url } = request;
  return url.startsWith("/") ? (url.split(/[?#]/, 1)[0] ?? url) : getPath(request);
}

const forwardingHeaders = ["Forwarded", "X-Forwarded-For", "Via"] as const;

export interface MetricsReaders {
  /** The Bearer token of readers; at least 32 characters. */
  readonly token: string | undefined;
  /**
   * Without a token: whether programs on this machine may read, unless a proxy forwarded the
   * request.
   */
  readonly loopback: boolean;
}

/** `GET /metrics` of a public app; 404 for everybody but its readers. */
export function addMetricsRoute(
  app: Hono<HttpEnvironment>,
  metrics: Metrics,
  { token, loopback }: MetricsReaders,
): void {
  const fromThisMachine = loopbackOnly();
  app.get("/metrics", async (context, next) => {
    if (token !== undefined) {
      return hasToken(context, token) ? next() : context.notFound();
    }
    const isForwarded = forwardingHeaders.some((name) => context.req.header(name) !== undefined);
    return loopback && !isForwarded ? fromThisMachine(context, next) : context.notFound();
  });
  app.get("/metrics", (context) => renderMetrics(context, metrics));
}

export async function renderMetrics(context: HttpContext, metrics: Metrics): Promise<Response> {
  return context.body(await metrics.render(), 200, { "Content-Type": metrics.contentType });
}

function hasToken(context: HttpContext, token: string): boolean {
  const given = /^Bearer ([!-~]{1,1000})$/.exec(context.req.header("Authorization") ?? "")?.[1];
  return given !== undefined && equalSecret(given, token);
}

const methods = new Set(["GET", "HEAD", "POST", "PUT", "PATCH", "DELETE", "OPTIONS"]);
const buckets = [0.005, 0.01, 0.025, 0.05, 0.1, 0.25, 0.5, 1, 2.5, 5, 10];

/**
 * Counts and times the responses of an HTTP app. The number of labels is bounded: a route is its
 * pattern, "/*" if none matched, and an unusual method is "other".
 */
export function createRequestMetrics(metrics: Metrics): (request: AnsweredRequest) => void {
  const requests = metrics.counter({
    name: "instant_http_requests_total",
    help: "HTTP requests that were answered.",
    labels: ["method", "route", "status"],
  });
  const durations = metrics.histogram({
    name: "instant_http_request_duration_seconds",
    help: "Time from a request to its response.",
    labels: ["route"],
    buckets,
  });
  return ({ method, route, status, seconds }) => {
    const known = methods.has(method) ? method : "other";
    requests.add({ method: known, route, status: String(status) });
    durations.observe(seconds, { route });
  };
}

export const httpFields = {
  publicUrl: setting.url({
    name: "PUBLIC_URL",
    protocols: ["https:", "http:"],
    example: "https://sign-in.example.com",
    doc: "The public URL of serve-auth, when a proxy is in front of it. Its origin is trusted like serve-auth's own.",
  }),
  trustedProxies: setting.list({
    name: "TRUSTED_PROXIES",
    itemPattern: /^[0-9A-Fa-f:.]+(?:\/\d{1,3})?$/,
    item: "10.0.0.0/8",
    doc: "Addresses and networks of the proxies in front of serve-auth. X-Forwarded-For is trusted only in requests from one of them: the client is its rightmost hop that is not in this list. Unset: X-Forwarded-For is ignored, and the client is the peer of the connection.",
  }),
  corsOrigins: setting.list({
    name: "CORS_ORIGINS",
    itemPattern: /^https?:\/\/[a-z0-9.-]+(?::\d{1,5})?\/?$/i,
    item: "https://app.example.com",
    doc: "Origins whose pages may call the sign-in API with the user's cookie. They are trusted like serve-auth's own pages. Unset: none.",
  }),
  idleTimeoutMs: setting.duration({
    name: "HTTP_IDLE_TIMEOUT",
    fallback: "75s",
    minMs: 30_000, // longer than the slowest answer: a mail delivered in place takes up to 13 s
    maxMs: 240_000,
    doc: "How long both services keep an idle connection. Keep it longer than the proxy or load balancer in front does (usually 60s), so that the proxy closes first and never sends a request into a closing connection.",
  }),
  stopDelayMs: setting.duration({
    name: "HTTP_STOP_DELAY",
    fallback: "3s",
    minMs: 0,
    maxMs: 60_000,
    doc: "How long serve-auth in production, told to stop, still answers: /readyz with 503, and every answer closes its connection, so that a load balancer turns to other replicas before its connections are closed.",
  }),
  metricsToken: setting.secret({
    name: "METRICS_TOKEN",
    charsMin: 32,
    doc: "Bearer token with which Prometheus reads serve-auth's /metrics. Unset: /metrics answers only on the same machine, and not at all in production.",
  }),
} as const;

export interface HttpBoundary {
  readonly trustedProxies: readonly IpNetwork[];
  readonly corsOrigins: readonly string[];
  /** "https://sign-in.example.com", without a final slash. */
  readonly publicOrigin: string | undefined;
}

/**
 * The trusted proxies and origins from the settings. Settings that do not fit together are pushed
 * to `problems`.
 */
export function resolveHttp(
  { trustedProxies = [], corsOrigins = [], publicUrl }: ConfigValues<typeof httpFields>,
  problems: ConfigProblem[],
): HttpBoundary {
  const networks = trustedProxies.flatMap((text) => {
    const network = parseIpNetwork(text);
    if (network !== undefined) return [network];
    problems.push({ name: "TRUSTED_PROXIES", problem: `has ${text}, which is not an IP network` });
    return [];
  });
  const origins = corsOrigins.flatMap((text) => {
    if (URL.canParse(text)) return [new URL(text).origin]; // as browsers spell it
    problems.push({ name: "CORS_ORIGINS", problem: `has ${text}, which is not an origin` });
    return [];
  });
  const url = publicUrl === undefined ? undefined : new URL(publicUrl);
  if (url !== undefined && url.pathname !== "/") {
    problems.push({ name: "PUBLIC_URL", problem: "must have no path" });
  }
  return { trustedProxies: networks, corsOrigins: origins, publicOrigin: url?.origin };
}
