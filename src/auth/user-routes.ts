import type { Hono } from "hono";
import { InstantError, unreachable } from "../core/errors.ts";
import type { HttpContext, HttpEnvironment } from "../core/http/environment.ts";
import { problemResponse } from "../core/http/problem.ts";
import { readJson } from "../core/http/read-json.ts";
import type { Log } from "../core/log.ts";
import { addOperation } from "../core/openapi/operation.ts";
import { changeUserBody, deleteUserBody, requestEmailBody, verifyEmailBody } from "./bodies.ts";
import type { ChangeEmailDeps } from "./change-email.ts";
import { changeEmail } from "./change-email.ts";
import { requestedResponse, spentTriesResponse } from "./code-responses.ts";
import { getSignedIn } from "./current-session.ts";
import type { DeleteUserDeps } from "./delete-user.ts";
import { deleteUser } from "./delete-user.ts";
import { authErrors } from "./error-codes.ts";
import type { MailLocaleDeps } from "./mail-locale.ts";
import { mailLocale } from "./mail-locale.ts";
import type { RequestCodeDeps } from "./request-code.ts";
import { requestCode } from "./request-code.ts";
import type { CookieSettings } from "./session-credential.ts";
import { clearSessionCookie } from "./session-credential.ts";
import { wrongCodeResponse } from "./spent-response.ts";
import {
  changeUserOperation,
  deleteUserOperation,
  getMeOperation,
  getUserOperation,
  requestDeletionOperation,
  requestEmailOperation,
  verifyEmailOperation,
} from "./user-operations.ts";
import { userResponse } from "./users/user-response.ts";

export interface UserRouteDeps
  extends RequestCodeDeps,
    ChangeEmailDeps,
    DeleteUserDeps,
    MailLocaleDeps,
    CookieSettings {
  readonly log: Log;
}

/** `/users/me`: who one is, and changing and deleting it. */
export function addUserRoutes(app: Hono<HttpEnvironment>, deps: UserRouteDeps): void {
  const showUser = async (context: HttpContext) =>
    context.json(userResponse((await getSignedIn(context, deps)).user));
  addOperation(app, getUserOperation, showUser);
  addOperation(app, getMeOperation, showUser);
  addOperation(app, changeUserOperation, (context) => setUsername(context, deps));
  addOperation(app, requestEmailOperation, (context) => requestEmail(context, deps));
  addOperation(app, verifyEmailOperation, (context) => verifyEmail(context, deps));
  addOperation(app, requestDeletionOperation, (context) => requestDeletion(context, deps));
  addOperation(app, deleteUserOperation, (context) => remove(context, deps));
}

async function setUsername(context: HttpContext, deps: UserRouteDeps): Promise<Response> {
  const { user } = await getSignedIn(context, deps);
  const { username } = await readJson(context, changeUserBody);
  const outcome = await deps.users.setUsername({ id: user.id, username });
  switch (outcome.kind) {
    case "changed":
      return context.json(userResponse(outcome.user));
    case "taken":
      return conflict(context, authErrors.usernameTaken, "username", "is taken");
    case "gone":
      throw new InstantError(authErrors.unauthenticated);
    default:
      return unreachable(outcome);
  }
}

async function requestEmail(context: HttpContext, deps: UserRouteDeps): Promise<Response> {
  const { user } = await getSignedIn(context, deps);
  const { email } = await readJson(context, requestEmailBody);
  if (email === user.email) {
    return conflict(context, authErrors.emailUnchanged, "email", "is your address already");
  }
  const client = context.get("client");
  const locale = mailLocale(context, deps);
  const outcome = await requestCode(deps, { email, purpose: "change_email", client, locale });
  return requestedResponse(context, outcome, deps.log);
}

async function verifyEmail(context: HttpContext, deps: UserRouteDeps): Promise<Response> {
  const { user } = await getSignedIn(context, deps);
  const { email, code } = await readJson(context, verifyEmailBody);
  const asked = { client: context.get("client"), locale: mailLocale(context, deps) };
  const outcome = await changeEmail(deps, { user, email, code, ...asked });
  switch (outcome.kind) {
    case "changed": {
      const fields = { userId: user.id, messageID: outcome.messageId };
      deps.log.info({ ...fields, requestId: context.get("requestId") }, "Address changed");
      return context.json(userResponse(outcome.user));
    }
    case "wrong":
      return wrongCodeResponse(context, authErrors.confirmationInvalid, outcome.locked);
    case "spent":
      return spentTriesResponse(context, outcome.spent);
    case "taken":
      return conflict(context, authErrors.emailTaken, "email", "belongs to another account");
    case "gone":
      throw new InstantError(authErrors.unauthenticated);
    default:
      return unreachable(outcome);
  }
}

async function requestDeletion(context: HttpContext, deps: UserRouteDeps): Promise<Response> {
  const { user } = await getSignedIn(context, deps);
  const scope = { email: user.email, purpose: "delete_account" } as const;
  const asked = { client: context.get("client"), locale: mailLocale(context, deps) };
  const outcome = await requestCode(deps, { ...scope, ...asked });
  return requestedResponse(context, outcome, deps.log);
}

async function remove(context: HttpContext, deps: UserRouteDeps): Promise<Response> {
  const signedIn = await getSignedIn(context, deps);
  const { code } = await readJson(context, deleteUserBody);
  const outcome = await deleteUser(deps, { ...signedIn, code, client: context.get("client") });
  switch (outcome.kind) {
    case "deleted": {
      const fields = { userId: signedIn.user.id, requestId: context.get("requestId") };
      deps.log.info(fields, "User deleted");
      clearSessionCookie(context, deps);
      return context.body(null, 204);
    }
    case "wrong":
      return wrongCodeResponse(context, authErrors.confirmationInvalid, outcome.locked);
    case "spent":
      return spentTriesResponse(context, outcome.spent);
    default:
      return unreachable(outcome);
  }
}

function conflict(
  context: HttpContext,
  row: (typeof authErrors)["usernameTaken" | "emailTaken" | "emailUnchanged"],
  field: string,
  message: string,
): Response {
  return problemResponse(context, row, { errors: [{ field, message }] });
}
