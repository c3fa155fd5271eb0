import type { MiddlewareHandler } from "hono";
import { deleteCookie, getCookie, setCookie } from "hono/cookie";
import type { Clock } from "../../core/clock.ts";
import type { HttpContext, HttpEnvironment } from "../../core/http/environment.ts";
import { httpErrors } from "../../core/http/error-codes.ts";
import { loopbackOnly } from "../../core/http/loopback-only.ts";
import { problemResponse } from "../../core/http/problem.ts";
import { requestOrigin } from "../../core/http/same-origin.ts";
import { equalConstantTime, equalSecret, hmacText } from "../../core/secret.ts";
import { opsErrors } from "./error-codes.ts";
import type { LoginTries } from "./login-tries.ts";

export interface OpsAccess {
  /** Undefined: only this machine may look. */
  readonly token: string | undefined;
  readonly tries: LoginTries;
  readonly clock: Pick<Clock, "now">;
}

const cookieName = "ops_session";
const sessionSeconds = 12 * 3600;

/**
 * Lets an operator through: with the cookie of the login page or the token as Bearer; without a
 * token of the service, whoever is on this machine and calls it by a loopback name. Forms are taken
 * from our own pages alone. A page leads to the login page; anything else is told 401.
 */
export function operatorsOnly(access: OpsAccess): MiddlewareHandler<HttpEnvironment> {
  const local = loopbackOnly();
  return async function operatorsOnly(context, next) {
    const bearer = bearerOf(context);
    const reads = context.req.method === "GET" || context.req.method === "HEAD";
    if (!reads && bearer === undefined && requestOrigin(context) !== "same") {
      return problemResponse(context, httpErrors.crossOrigin);
    }
    if (access.token === undefined) return local(context, next);
    if (bearer !== undefined) {
      const wrong = tryToken(context, access, bearer);
      return wrong ?? next();
    }
    if (hasSession(context, access.token, access.clock.now())) return next();
    const isPage = reads && (context.req.header("Accept") ?? "").includes("text/html");
    if (isPage) return context.redirect("/login", 303);
    return problemResponse(context, opsErrors.unauthenticated);
  };
}

/** Undefined: it is the token. Else the problem to answer with. */
export function tryToken(
  context: HttpContext,
  { token = "", tries }: OpsAccess,
  tried: string,
): Response | undefined {
  const client = context.get("client");
  const retryAfterSeconds = tries.lockedSeconds(client);
  if (retryAfterSeconds !== undefined) {
    return problemResponse(context, opsErrors.tooManyTries, { retryAfterSeconds });
  }
  if (equalSecret(tried, token)) return undefined;
  tries.failed(client);
  return problemResponse(context, opsErrors.unauthenticated);
}

/** Good for 12 h, signed with the token: another token ends it, and every replica knows it. */
export function beginSession(context: HttpContext, { token = "", clock }: OpsAccess): void {
  const endsAt = String(clock.now() + sessionSeconds * 1000);
  setCookie(context, cookieName, `${endsAt}.${sign(token, endsAt)}`, {
    ...attributes(context),
    maxAge: sessionSeconds,
  });
}

export function endSession(context: HttpContext): void {
  deleteCookie(context, cookieName, attributes(context));
}

function hasSession(context: HttpContext, token: string, now: number): boolean {
  const [endsAt = "", signature = ""] = (getCookie(context, cookieName) ?? "").split(".");
  return equalConstantTime(sign(token, endsAt), signature) && Number(endsAt) > now;
}

function sign(token: string, endsAt: string): string {
  return hmacText(token, "base64url", "ops session", endsAt);
}

function bearerOf(context: HttpContext): string | undefined {
  return /^Bearer (\S+)$/.exec(context.req.header("Authorization") ?? "")?.[1];
}

/** Secure where the browser came by https, which a proxy before us tells. */
function attributes(context: HttpContext) {
  const secure = context.req.header("X-Forwarded-Proto") === "https";
  return { path: "/", httpOnly: true, sameSite: "Strict", secure } as const;
}
