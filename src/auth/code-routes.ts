import type { Hono } from "hono";
import { unreachable } from "../core/errors.ts";
import type { HttpContext, HttpEnvironment } from "../core/http/environment.ts";
import { problemResponse } from "../core/http/problem.ts";
import { readJson } from "../core/http/read-json.ts";
import type { Log } from "../core/log.ts";
import { addOperation } from "../core/openapi/operation.ts";
import { requestCodeBody, verifyCodeBody } from "./bodies.ts";
import { requestCodeOperation, verifyCodeOperation } from "./code-operations.ts";
import { requestedResponse, spentTriesResponse } from "./code-responses.ts";
import { authErrors } from "./error-codes.ts";
import type { MailLocaleDeps } from "./mail-locale.ts";
import { mailLocale } from "./mail-locale.ts";
import type { RequestCodeDeps } from "./request-code.ts";
import { requestCode } from "./request-code.ts";
import type { CookieSettings } from "./session-credential.ts";
import { setSessionCookie } from "./session-credential.ts";
import { describeDevice } from "./sessions/device.ts";
import { wrongCodeResponse } from "./spent-response.ts";
import { userResponse } from "./users/user-response.ts";
import type { VerifyCodeDeps } from "./verify-code.ts";
import { verifyCode } from "./verify-code.ts";

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
    case "spent":
      return spentTriesResponse(context, outcome.spent);
    case "username_taken":
      return problemResponse(context, authErrors.usernameTaken, {
        detail: "The username belongs to somebody else; the code is still good.",
        errors: [{ field: "username", message: "is taken" }],
      });
    default:
      return unreachable(outcome);
  }
}
