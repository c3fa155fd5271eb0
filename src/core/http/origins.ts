import type { MiddlewareHandler } from "hono";
import { getCookie } from "hono/cookie";
import { cors } from "hono/cors";
import type { HttpContext, HttpEnvironment } from "./environment.ts";
import { httpErrors, problemResponse } from "./problem.ts";

const preflightSecondsMax = 600;

/** CORS: only pages of these origins may read the API's responses, with the cookie. */
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

/** The origin of a request, according to the browser; `unknown`: not sent by a page. */
type RequestOrigin = "same" | "other" | "unknown";

/**
 * Whether a page of this origin sent the request, by headers that pages cannot forge:
 * `Sec-Fetch-Site` if present (https and localhost), else `Origin` against `Host` and
 * `publicOrigin`. Schemes are not compared, because a proxy in front may terminate TLS.
 */
export function requestOrigin(context: HttpContext, publicOrigin?: string): RequestOrigin {
  const site = context.req.header("Sec-Fetch-Site");
  if (site !== undefined) return site === "same-origin" ? "same" : "other";
  const origin = context.req.header("Origin");
  if (origin === undefined) return "unknown";
  if (origin === publicOrigin) return "same";
  const host = context.req.header("Host")?.toLowerCase();
  return URL.canParse(origin) && new URL(origin).host === host ? "same" : "other";
}

interface SameOriginOptions {
  /** The cookie of the session. */
  readonly cookieName: string;
  readonly publicOrigin: string | undefined;
  /** Other origins, trusted like our own: "https://app.example.com". */
  readonly origins: readonly string[];
}

const reads = new Set(["GET", "HEAD", "OPTIONS"]);

/**
 * Rejects writes from pages of other sites, which make a browser send its cookies (CSRF). A request
 * with an `Authorization` header is exempt: another site's page cannot send one without a preflight
 * (CORS). Any other write must not name another origin, and with the cookie it must name ours.
 * Programs send no cookie, or add `Origin`.
 */
export function sameOriginWrites(options: SameOriginOptions): MiddlewareHandler<HttpEnvironment> {
  return async function sameOriginWrites(context, next) {
    if (reads.has(context.req.method) || context.req.header("Authorization")) return next();
    if (options.origins.includes(context.req.header("Origin") ?? "")) return next();
    const from = requestOrigin(context, options.publicOrigin);
    const withCookie = getCookie(context, options.cookieName) !== undefined;
    if (from === "same" || (from === "unknown" && !withCookie)) return next();
    const detail =
      from === "unknown"
        ? "With the cookie, a write needs the Origin header; or send Authorization: Bearer."
        : undefined;
    return problemResponse(context, httpErrors.crossOrigin, { detail });
  };
}
