// The HTTP app that each service adds its routes to, and its settings.
import type { MiddlewareHandler } from "hono";
import { Hono } from "hono";
import { methodNotAllowed } from "hono/method-not-allowed";
import { routePath } from "hono/route";
import { getPath } from "hono/utils/url";
import type { ConfigProblem, ConfigValues } from "../config.ts";
import { setting } from "../config.ts";
import type { Log, TraceContext } from "../log.ts";
import { createChildContext, logText, parseTraceparent, runInTraceContext } from "../log.ts";
import { limitBody } from "./body.ts";
import type { IpNetwork } from "./client-address.ts";
import { createClientReader, parseIpNetwork } from "./client-address.ts";
import { addSecurityHeaders } from "./headers.ts";
import type { DrawProblem, HttpContext, HttpEnvironment } from "./problem.ts";
import { drawPage, httpErrors, isStopping, problemResponse, respondToError } from "./problem.ts";

/** An answered request, for the log and the metrics. */
export interface AnsweredRequest {
  readonly method: string;
  /** The route's pattern; "/*": no route matched. */
  readonly route: string;
  readonly status: number;
  readonly seconds: number;
}

export interface HttpAppOptions {
  readonly log: Log;
  /** Proxies whose `X-Forwarded-For` is trusted; none when left out. */
  readonly trustedProxies?: readonly IpNetwork[] | undefined;
  /** Whether browsers must use https for the subdomains of this host too. */
  readonly hstsSubdomains?: boolean | undefined;
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
  const { log, trustedProxies = [], hstsSubdomains, drawProblem, before, after } = options;
  const report = createReport(options);
  const readClient = createClientReader(log, trustedProxies);
  const hasGoodHost = createHostCheck();
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
    context.set("client", readClient(context));
    const trace = createChildContext(parseTraceparent(headers.get("traceparent") ?? undefined));
    return runInTraceContext(trace, async () => {
      const reading = limitBody(context);
      const refused =
        (reading && (await reading)) ??
        (hasGoodHost(headers) ? before?.(context) : refuseHost(context));
      if (refused === undefined) await next();
      else context.res = refused;
      after?.(context);
      if (context.res.status === 404) await refuseMethod(context, nothing);
      if (drawProblem !== undefined && !context.res.ok) await drawPage(context, drawProblem);
      const { headers: answered } = context.res;
      addSecurityHeaders(answered, hstsSubdomains);
      answered.set("X-Request-Id", requestId);
      if (isStopping(context)) answered.set("Connection", "close");
      report(context, performance.now() - startedAt, trace);
    });
  };
}

async function nothing(): Promise<void> {}

const hostShape = /^(?:[\w.~-]{1,255}|\[[\da-f:.]{2,45}\])(?::\d{0,5})?$/i;

/**
 * Whether `Host`, if there is one, is that of a URL. Load balancers leave it out in HTTP/1.0. It is
 * the same in nearly all requests, so the last good one is not looked at twice.
 */
function createHostCheck(): (headers: Headers) => boolean {
  let good = "";
  return (headers) => {
    const host = headers.get("Host") ?? "";
    if (host === "" || host === good) return true;
    if (!hostShape.test(host) || !URL.canParse(`http://${host}`)) return false;
    good = host;
    return true;
  };
}

function refuseHost(context: HttpContext): Response {
  const detail = "The header Host must be one host name or address, with a port or without.";
  return problemResponse(context, httpErrors.malformedRequest, { detail });
}

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
    doc: "Addresses and networks of the proxies in front of serve-auth and serve-email. X-Forwarded-For is trusted only in requests from one of them: the client is its rightmost hop that is not in this list. Unset: X-Forwarded-For is ignored, and the client is the peer of the connection.",
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
  hstsSubdomains: setting.flag({
    name: "HSTS_SUBDOMAINS",
    fallback: "false",
    doc: "Whether Strict-Transport-Security has includeSubDomains: for half a year browsers then open the subdomains of the services' hosts only with https. `false`: only the hosts themselves.",
  }),
  metricsToken: setting.secret({
    name: "METRICS_TOKEN",
    charsMin: 32,
    doc: "Bearer token with which Prometheus reads serve-auth's /metrics, and serve-email's through a proxy that names the client. Unset: serve-auth's answers only on the same machine, and not at all in production; serve-email's answers only without such a proxy.",
  }),
} as const;

export interface HttpBoundary {
  readonly trustedProxies: readonly IpNetwork[];
  readonly corsOrigins: readonly string[];
  /** "https://sign-in.example.com", without a final slash. */
  readonly publicOrigin: string | undefined;
  /** See HSTS_SUBDOMAINS. */
  readonly hstsSubdomains?: boolean;
}

/**
 * The trusted proxies and origins from the settings. Settings that do not fit together are pushed
 * to `problems`.
 */
export function resolveHttp(
  values: ConfigValues<typeof httpFields>,
  problems: ConfigProblem[],
): HttpBoundary {
  const { trustedProxies = [], corsOrigins = [], publicUrl, hstsSubdomains } = values;
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
  if (url !== undefined && url.href !== `${url.origin}/`) {
    const problem = "must have no user name, path or query, such as https://sign-in.example.com";
    problems.push({ name: "PUBLIC_URL", problem });
  }
  return {
    trustedProxies: networks,
    corsOrigins: origins,
    publicOrigin: url?.origin,
    hstsSubdomains,
  };
}
