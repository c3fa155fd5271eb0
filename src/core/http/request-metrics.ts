import type { Metrics } from "../metrics.ts";
import type { AnsweredRequest } from "./access-log.ts";

const methods = new Set(["GET", "HEAD", "POST", "PUT", "PATCH", "DELETE", "OPTIONS"]);
const buckets = [0.005, 0.01, 0.025, 0.05, 0.1, 0.25, 0.5, 1, 2.5, 5, 10];

/**
 * Counts and times what an HTTP app answers. The route is its pattern, so there are as many as the
 * program has; whatever else clients make up is "/*" and "other".
 */
export function createRequestMetrics(metrics: Metrics): (request: AnsweredRequest) => void {
  const requests = metrics.counter({
    name: "instant_http_requests_total",
    help: "Answered HTTP requests.",
    labels: ["method", "route", "status"],
  });
  const durations = metrics.histogram({
    name: "instant_http_request_duration_seconds",
    help: "From a request to its answer.",
    labels: ["route"],
    buckets,
  });
  return ({ method, route, status, seconds }) => {
    const known = methods.has(method) ? method : "other";
    requests.add({ method: known, route, status: String(status) });
    durations.observe(seconds, { route });
  };
}
