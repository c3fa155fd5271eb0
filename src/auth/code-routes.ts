import type { Hono } from "hono";
import { InstantError, unreachable } from "../core/errors.ts";
import { readJson } from "../core/http/body.ts";
import type { HttpContext, HttpEnvironment } from "../core/http/environment.ts";
import { problemResponse } from "../core/http/problem.ts";
import type { Log } from "../core/log.ts";
import type { Operation } from "../core/openapi/operation.ts";
import { addOperation } from "../core/openapi/operation.ts";
import type { CookieSettings } from "./current-session.ts";
import { setSessionCookie } from "./current-session.ts";
import { authErrors } from "./error-codes.ts";
import type { ExhaustedLimit } from "./rate-limited.ts";
import { rateLimitedResponse, wrongCodeResponse } from "./rate-limited.ts";
import type { MailLocaleDeps, RequestCodeDeps, RequestCodeOutcome } from "./request-code.ts";
import { mailLocale, requestCode } from "./request-code.ts";
import {
  messageAnswer,
  requestCodeBody,
  signedInAnswer,
  userResponse,
  verifyCodeBody,
} from "./schemas.ts";
import { describeDevice } from "./sessions/session-store.ts";
import type { VerifyCodeDeps } from "./verify-code.ts";
import { verifyCode } from "./verify-code.ts";

const group = "Sign-in";

export const requestCodeOperation = {
  id: "requestCode",
  method: "post",
  path: "/auth/request-code",
  group,
  summary: "Send a sign-in code to an address",
  description:
    "Known and unknown addresses get the same answer, and so does one that is locked after wrong codes: its mail comes, but no code is taken before the lock is over. Asking again within a minute sends the same code once more, as the same mail. It is written in the language of Accept-Language, if there are words in it.",
  access: "anyone",
  body: { schema: requestCodeBody, required: true, example: { email: "ana@example.com" } },
  answer: { status: 200, description: "A mail is on its way.", schema: messageAnswer },
  problems: [
    authErrors.addressUnsupported,
    authErrors.tooManyCodes,
    authErrors.tooManyRequests,
    authErrors.mailUnavailable,
  ],
} as const satisfies Operation;

export const verifyCodeOperation = {
  id: "verifyCode",
  method: "post",
  path: "/auth/verify-code",
  group,
  summary: "Sign in with the code",
  description:
    "The answer also sets the cookie session_id. The first sign-in of an address makes its user; a username that is taken leaves the code good. The wrong code that uses up the tries of an address locks it: the answer has scope and retryAfterSeconds, and until then every code, also the right one, is a 429.",
  access: "anyone",
  body: {
    schema: verifyCodeBody,
    required: true,
    example: { email: "ana@example.com", code: "123456" },
  },
  answer: { status: 200, description: "Signed in.", schema: signedInAnswer },
  problems: [
    authErrors.codeInvalid,
    authErrors.usernameTaken,
    authErrors.tooManyAttempts,
    authErrors.tooManyRequests,
  ],
} as const satisfies Operation;

/** What every call that asks for a code answers, whatever the code is for. */
export function requestedResponse(
  context: HttpContext,
  outcome: RequestCodeOutcome,
  log: Log,
): Response {
  switch (outcome.kind) {
    case "sent": {
      const requestId = context.get("requestId");
      log.info({ messageID: outcome.messageId, requestId }, "Verification code requested");
      return context.json({ message: "verification code sent to your email" });
    }
    case "rate_limited":
      return rateLimitedResponse(
        context,
        rowOf(outcome.limit, authErrors.tooManyCodes),
        outcome.limit,
      );
    case "unavailable": {
      const { retryAfterSeconds } = outcome;
      throw new InstantError(authErrors.mailUnavailable, { details: { retryAfterSeconds } });
    }
    case "unsupported_address":
      return problemResponse(context, authErrors.addressUnsupported, {
        errors: [{ field: "email", message: "must have only ASCII characters before the @" }],
      });
    default:
      return unreachable(outcome);
  }
}

/** 429 to an entry of a code of which nothing was compared. */
export function tooManyAttemptsResponse(context: HttpContext, limit: ExhaustedLimit): Response {
  return rateLimitedResponse(context, rowOf(limit, authErrors.tooManyAttempts), limit);
}

/** What one address spent has a row of its own; above it, somebody made too many requests. */
function rowOf(
  { scope }: ExhaustedLimit,
  ofAddress: typeof authErrors.tooManyCodes | typeof authErrors.tooManyAttempts,
) {
  return /-(?:per-client|global)$/.test(scope) ? authErrors.tooManyRequests : ofAddress;
}

export interface CodeRouteDeps
  extends RequestCodeDeps,
    VerifyCodeDeps,
    MailLocaleDeps,
    CookieSettings {
  readonly log: Log;
}

/** `POST /auth/request-code` and `POST /auth/verify-code`. */
export function addCodeRoutes(app: Hono<HttpEnvironment>, deps: CodeRouteDeps): void {
  addOperation(app, requestCodeOperation, (context) => request(context, deps));
  addOperation(app, verifyCodeOperation, (context) => verify(context, deps));
}

async function request(context: HttpContext, deps: CodeRouteDeps): Promise<Response> {
  const { email } = await readJson(context, requestCodeBody);
  const client = context.get("client");
  const locale = mailLocale(context, deps);
  const outcome = await requestCode(deps, { email, purpose: "sign_in", client, locale });
  return requestedResponse(context, outcome, deps.log);
}

async function verify(context: HttpContext, deps: CodeRouteDeps): Promise<Response> {
  const { email, code, username } = await readJson(context, verifyCodeBody);
  const client = context.get("client");
  const device = describeDevice(context.req.header("User-Agent"));
  const locale = mailLocale(context, deps);
  const outcome = await verifyCode(deps, { email, code, username, client, device, locale });
  switch (outcome.kind) {
    case "signed_in": {
      const { token, user, created, messageId } = outcome;
      const fields = { userId: user.id, created, messageID: messageId };
      deps.log.info({ ...fields, requestId: context.get("requestId") }, "Signed in");
      const { lifetimeMs } = deps.sessions.policy;
      setSessionCookie(context, token, { secureCookies: deps.secureCookies, lifetimeMs });
      return context.json({ token, user: userResponse(user) });
    }
    case "wrong":
      return wrongCodeResponse(context, authErrors.codeInvalid, outcome.locked);
    case "rate_limited":
      return tooManyAttemptsResponse(context, outcome.limit);
    case "username_taken":
      return problemResponse(context, authErrors.usernameTaken, {
        detail: "The username belongs to somebody else; the code is still good.",
        errors: [{ field: "username", message: "is taken" }],
      });
    default:
      return unreachable(outcome);
  }
}
