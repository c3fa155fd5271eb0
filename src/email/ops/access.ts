import type { MiddlewareHandler } from "hono";
import { setting } from "../../core/config.ts";
import type { ErrorRow } from "../../core/errors.ts";
import {
  bearerToken,
  forwardedProtocol,
  loopbackOnly,
  requestOrigin,
} from "../../core/http/client-address.ts";
import type { Cookie } from "../../core/http/cookies.ts";
import { clearCookie, readCookie, writeCookie } from "../../core/http/cookies.ts";
import type { HttpContext, HttpEnvironment } from "../../core/http/problem.ts";
import { httpErrors, problemResponse } from "../../core/http/problem.ts";
import { equalSecret, signText, verifyText } from "../../core/secret.ts";
import type { Clock } from "../../core/time.ts";
import type { LoginAttempts } from "../login-attempts.ts";

export const opsErrors = {
  unauthenticated: {
    code: "ops_unauthenticated",
    meaning: "This is for operators: sign in at /login, or send OPS_TOKEN as Authorization: Bearer",
    retryable: false,
    status: 401,
  },
  tooManyAttempts: {
    code: "ops_too_many_attempts",
    meaning: "Too many wrong tokens",
    retryable: true,
    status: 429,
  },
  closed: {
    code: "ops_closed",
    meaning: "The pages for operators are closed, because OPS_TOKEN is not set",
    retryable: false,
    status: 404,
  },
  tooManyWatchers: {
    code: "ops_too_many_watchers",
    meaning: "Too many live pages are open on this service",
    retryable: true,
    status: 503,
  },
} as const satisfies Record<string, ErrorRow>;

export interface OpsAccess {
  readonly token: string | undefined;
  /** Without a token: whether this machine has access. Otherwise nobody has. */
  readonly loopback: boolean;
  readonly attempts: LoginAttempts;
  readonly clock: Pick<Clock, "now">;
}

const sessionSeconds = 12 * 3600;
/**
 * Not "ops session", the purpose of an earlier format, whose time would be read as far in the
 * future.
 */
const purpose = "ops-session";

/**
 * Admits operators: with the cookie of the login page or the token as Bearer; if no token is set,
 * nobody, or outside production whoever asks from this machine. Forms are accepted only from our own
 * pages. Other page requests are redirected to the login page; anything else gets 401.
 */
export function operatorsOnly(access: OpsAccess): MiddlewareHandler<HttpEnvironment> {
  const local = loopbackOnly(
    "Without OPS_TOKEN the pages for operators are only served to the same machine, and not through a proxy.",
  );
  return async function operatorsOnly(context, next) {
    if (isClosed(access)) return problemResponse(context, opsErrors.closed);
    const bearer = bearerToken(context);
    const reads = context.req.method === "GET" || context.req.method === "HEAD";
    if (!reads && bearer === undefined && requestOrigin(context) !== "same") {
      return problemResponse(context, httpErrors.crossOrigin);
    }
    if (access.token === undefined) return local(context, next);
    if (bearer !== undefined) {
      const wrong = checkToken(context, access, bearer);
      return wrong ?? next();
    }
    if (hasSession(context, access.token, access.clock.now())) return next();
    const isPage = reads && (context.req.header("Accept") ?? "").includes("text/html");
    if (isPage) return context.redirect("/login", 303);
    return problemResponse(context, opsErrors.unauthenticated);
  };
}

/** Without a token in production: then a login could only fail. */
export function isClosed({ token, loopback }: OpsAccess): boolean {
  return token === undefined && !loopback;
}

/** Undefined if the token is right, else the problem to answer with. */
export function checkToken(
  context: HttpContext,
  { token = "", attempts }: OpsAccess,
  given: string,
): Response | undefined {
  const client = context.get("client");
  const retryAfterSeconds = attempts.lockedSeconds(client);
  if (retryAfterSeconds !== undefined) {
    return problemResponse(context, opsErrors.tooManyAttempts, { retryAfterSeconds });
  }
  if (equalSecret(given, token)) return undefined;
  attempts.failed(client);
  return problemResponse(context, opsErrors.unauthenticated);
}

/**
 * Valid for 12 h and signed with the token: changing the token ends it, and every replica accepts
 * it.
 */
export function beginSession(context: HttpContext, { token = "", clock }: OpsAccess): void {
  const session = signText(token, { purpose, parts: [], signedAt: clock.now() });
  writeCookie(context, sessionCookie(context), session, sessionSeconds);
}

export function endSession(context: HttpContext): void {
  clearCookie(context, sessionCookie(context));
}

function hasSession(context: HttpContext, token: string, now: number): boolean {
  const verification = { purpose, keys: [token], lifeMs: sessionSeconds * 1000, now };
  return readCookie(context, sessionCookie(context)).some((text) => {
    return verifyText(text, verification).kind === "valid";
  });
}

/** Secure if the browser uses https, according to a proxy in front. */
function sessionCookie(context: HttpContext): Cookie {
  const secure = forwardedProtocol(context) === "https";
  return { name: "ops_session", secure, sameSite: "Strict" };
}

/** Settings of serve-email's pages for operators. */
export const opsFields = {
  token: setting.secret({
    name: "OPS_TOKEN",
    charsMin: 16,
    doc: "Token for the operators' pages of serve-email: entered on their login page, or sent as Authorization: Bearer. Unset: they answer only on the same machine, under a loopback name and without a proxy, and not at all in production.",
  }),
} as const;
