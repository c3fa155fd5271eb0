import type { MiddlewareHandler } from "hono";
import { getCookie } from "hono/cookie";
import type { HttpEnvironment } from "./environment.ts";
import { httpErrors } from "./error-codes.ts";
import { problemResponse } from "./problem.ts";
import { requestOrigin } from "./same-origin.ts";

export interface SameOriginOptions {
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
