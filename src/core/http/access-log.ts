import type { MiddlewareHandler } from "hono";
import { routePath } from "hono/route";
import type { Log } from "../log.ts";
import type { HttpEnvironment } from "./environment.ts";

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
export function accessLog(
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
