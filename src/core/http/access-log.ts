import type { MiddlewareHandler } from "hono";
import { routePath } from "hono/route";
import type { Log } from "../log.ts";
import type { HttpEnvironment } from "./environment.ts";

/**
 * One line per request, `HTTP request`, with the pattern of its route: the path and the query may
 * hold a token or an address, so neither is logged ("/*" is a path without a route). A read that
 * succeeded is logged at debug: machines ask every few seconds.
 */
export function accessLog(log: Log): MiddlewareHandler<HttpEnvironment> {
  return async function accessLog(context, next) {
    const startedAt = performance.now();
    await next();
    const route = routePath(context, -1);
    const fields = {
      requestId: context.get("requestId"),
      method: context.req.method.slice(0, 16),
      route,
      status: context.res.status,
      durationMs: Math.round((performance.now() - startedAt) * 10) / 10,
    };
    const isRead = context.req.method === "GET" || context.req.method === "HEAD";
    if (isRead && context.res.ok) log.debug(fields, "HTTP request");
    else log.info(fields, "HTTP request");
  };
}
