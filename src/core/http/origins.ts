import type { MiddlewareHandler } from "hono";
import { getCookie } from "hono/cookie";
import { cors } from "hono/cors";
import type { HttpContext, HttpEnvironment } from "./environment.ts";
import { httpErrors, problemResponse } from "./problem.ts";

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

/** Where a browser says that a request comes from; `untold`: programs, which have no page. */
type RequestOrigin = "same" | "other" | "untold";

/**
 * Whether a page of this origin sent the request, as the browser tells and no page can make up:
 * `Sec-Fetch-Site` where there is one (https and localhost), else `Origin` against `Host` and
 * `publicOrigin`. The scheme is not compared with Host, since a proxy before us may end TLS.
 */
export function requestOrigin(context: HttpContext, publicOrigin?: string): RequestOrigin {
  const site = context.req.header("Sec-Fetch-Site");
  if (site !== undefined) return site === "same-origin" ? "same" : "other";
  const origin = context.req.header("Origin");
  if (origin === undefined) return "untold";
  if (origin === publicOrigin) return "same";
  const host = context.req.header("Host")?.toLowerCase();
  return URL.canParse(origin) && new URL(origin).host === host ? "same" : "other";
}

interface SameOriginOptions {
  /** The cookie that says who sends the request. */
  readonly cookieName: string;
  readonly publicOrigin: string | undefined;
  /** Other origins that are trusted like our own: "https://app.example.com". */
  readonly origins: readonly string[];
}

const reads = new Set(["GET", "HEAD", "OPTIONS"]);

/**
 * Lets a browser write only from pages of ours, because it sends its cookies wherever a page makes
 * it. A request with an `Authorization` header is exempt: a page elsewhere cannot send one without
 * asking first (CORS). Any other write must not say that it comes from elsewhere, and with the cookie
 * it must say that it does not. A program sends no cookie, or adds `Origin`.
 */
export function sameOriginWrites(options: SameOriginOptions): MiddlewareHandler<HttpEnvironment> {
  return async function sameOriginWrites(context, next) {
    if (reads.has(context.req.method) || context.req.header("Authorization")) return next();
    if (options.origins.includes(context.req.header("Origin") ?? "")) return next();
    const from = requestOrigin(context, options.publicOrigin);
    const withCookie = getCookie(context, options.cookieName) !== undefined;
    if (from === "same" || (from === "untold" && !withCookie)) return next();
    const detail =
      from === "untold"
        ? "With the cookie, a write needs the header Origin; or send Authorization: Bearer."
        : undefined;
    return problemResponse(context, httpErrors.crossOrigin, { detail });
  };
}
