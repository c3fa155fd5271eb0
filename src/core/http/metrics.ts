// The metrics of the HTTP requests themselves, and who may read all metrics over HTTP.
import type { Hono } from "hono";
import type { Metrics } from "../metrics.ts";
import { equalSecret } from "../secret.ts";
import type { AnsweredRequest } from "./app.ts";
import { bearerToken, isFromThisMachine } from "./client-address.ts";
import type { HttpContext, HttpEnvironment } from "./problem.ts";

export interface MetricsReaders {
  /** The Bearer token of readers; at least 32 characters. */
  readonly token: string | undefined;
  /** Without a token: whether programs on this machine may read. */
  readonly loopback: boolean;
}

/** `GET /metrics` of a public app; 404 for everybody but its readers. */
export function addMetricsRoute(
  app: Hono<HttpEnvironment>,
  metrics: Metrics,
  { token, loopback }: MetricsReaders,
): void {
  app.get("/metrics", async (context) => {
    const mayRead =
      token === undefined ? loopback && isFromThisMachine(context) : hasToken(context, token);
    return mayRead ? renderMetrics(context, metrics) : context.notFound();
  });
}

export async function renderMetrics(context: HttpContext, metrics: Metrics): Promise<Response> {
  return context.body(await metrics.render(), 200, { "Content-Type": metrics.contentType });
}

/** Whether the request has this Bearer token. */
export function hasToken(context: HttpContext, token: string): boolean {
  const given = bearerToken(context);
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
