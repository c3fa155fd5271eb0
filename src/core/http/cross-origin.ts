import type { MiddlewareHandler } from "hono";
import { cors } from "hono/cors";
import type { HttpEnvironment } from "./environment.ts";

const preflightSecondsMax = 600;

/** Lets pages of these origins, and no others, read the answers of the API, with the cookie. */
export function crossOriginReads(origins: readonly string[]): MiddlewareHandler<HttpEnvironment> {
  return cors({
    origin: [...origins],
    credentials: true,
    allowMethods: ["GET", "POST", "PATCH", "DELETE"],
    allowHeaders: ["Content-Type", "Authorization", "X-Request-Id"],
    exposeHeaders: ["Retry-After", "RateLimit", "RateLimit-Policy", "X-Request-Id"],
    maxAge: preflightSecondsMax,
  });
}
