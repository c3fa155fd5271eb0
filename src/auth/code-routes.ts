import type { Hono } from "hono";
import { InstantError, unreachable } from "../core/errors.ts";
import type { HttpContext, HttpEnvironment } from "../core/http/environment.ts";
import { problemResponse } from "../core/http/problem.ts";
import { readJson } from "../core/http/read-json.ts";
import type { Log } from "../core/log.ts";
import { requestCodeBody, verifyCodeBody } from "./bodies.ts";
import type { CodePolicy } from "./codes/code-policy.ts";
import { authErrors } from "./error-codes.ts";
import type { RequestCodeDeps, RequestCodeOutcome } from "./request-code.ts";
import { requestCode } from "./request-code.ts";
import type { CookieSettings } from "./session-credential.ts";
import { setSessionCookie } from "./session-credential.ts";
import { spentResponse } from "./spent-response.ts";
import { userResponse } from "./users/user-response.ts";
import type { VerifyCodeDeps } from "./verify-code.ts";
import { verifyCode } from "./verify-code.ts";

export interface CodeRouteDeps extends RequestCodeDeps, VerifyCodeDeps, CookieSettings {
  readonly log: Log;
}

/** `POST /auth/request-code` and `POST /auth/verify-code`. */
export function addCodeRoutes(app: Hono<HttpEnvironment>, deps: CodeRouteDeps): void {
  app.post("/auth/request-code", (context) => request(context, deps));
  app.post("/auth/verify-code", (context) => verify(context, deps));
}

async function request(context: HttpContext, deps: CodeRouteDeps): Promise<Response> {
  const { email } = await readJson(context, requestCodeBody);
  const outcome = await requestCode(deps, { email, purpose: "sign_in" });
  switch (outcome.kind) {
    case "sent": {
      const requestId = context.get("requestId");
      deps.log.info({ messageID: outcome.messageId, requestId }, "Verification code requested");
      return context.json({ message: "verification code sent to your email" });
    }
    case "spent":
      return codesSpent(context, outcome, deps.codes.policy);
    case "unavailable": {
      const { retryAfterSeconds } = outcome;
      throw new InstantError(authErrors.mailUnavailable, { details: { retryAfterSeconds } });
    }
    default:
      return unreachable(outcome);
  }
}

async function verify(context: HttpContext, deps: CodeRouteDeps): Promise<Response> {
  const { email, code, username } = await readJson(context, verifyCodeBody);
  const outcome = await verifyCode(deps, { email, code, username });
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
      return problemResponse(context, authErrors.codeInvalid, {
        headers: { "WWW-Authenticate": "Bearer" },
      });
    case "locked": {
      const { policy } = deps.codes;
      return spentResponse(context, {
        row: authErrors.tooManyTries,
        scope: "tries-per-email",
        quota: policy.triesMax,
        windowMs: policy.triesWindowMs,
        retryAfterMs: outcome.retryAfterMs,
      });
    }
    case "username_taken":
      return problemResponse(context, authErrors.usernameTaken, {
        detail: "The username belongs to somebody else; the code is still good.",
        errors: [{ field: "username", message: "is taken" }],
      });
    default:
      return unreachable(outcome);
  }
}

function codesSpent(
  context: HttpContext,
  { budget, retryAfterMs }: Extract<RequestCodeOutcome, { kind: "spent" }>,
  policy: CodePolicy,
): Response {
  const [scope, quota, windowMs] =
    budget === "codes"
      ? (["codes-per-email", policy.codesMax, policy.codesWindowMs] as const)
      : (["repeats-per-code", policy.repeatsMax, policy.repeatWindowMs] as const);
  return spentResponse(context, {
    row: authErrors.tooManyCodes,
    scope,
    quota,
    windowMs,
    retryAfterMs,
  });
}
