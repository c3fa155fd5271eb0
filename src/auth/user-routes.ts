import type { Hono } from "hono";
import { InstantError, unreachable } from "../core/errors.ts";
import { readJson } from "../core/http/body.ts";
import type { HttpContext, HttpEnvironment } from "../core/http/environment.ts";
import { problemResponse } from "../core/http/problem.ts";
import type { Log } from "../core/log.ts";
import type { Operation } from "../core/openapi/operation.ts";
import { addOperation } from "../core/openapi/operation.ts";
import type { ChangeEmailDeps, DeleteUserDeps } from "./account.ts";
import { changeEmail, deleteUser } from "./account.ts";
import { requestedResponse, tooManyAttemptsResponse } from "./code-routes.ts";
import type { CookieSettings } from "./current-session.ts";
import { clearSessionCookie, getSignedIn } from "./current-session.ts";
import { authErrors } from "./error-codes.ts";
import { wrongCodeResponse } from "./rate-limited.ts";
import type { MailLocaleDeps, RequestCodeDeps } from "./request-code.ts";
import { mailLocale, requestCode } from "./request-code.ts";
import {
  changeUserBody,
  deleteUserBody,
  messageAnswer,
  requestEmailBody,
  userAnswer,
  userResponse,
  verifyEmailBody,
} from "./schemas.ts";

const group = "Account";
const codeProblems = [
  authErrors.addressUnsupported,
  authErrors.tooManyCodes,
  authErrors.tooManyRequests,
  authErrors.mailUnavailable,
] as const;
const tryProblems = [
  authErrors.confirmationInvalid,
  authErrors.tooManyAttempts,
  authErrors.tooManyRequests,
] as const;
const codeSent = {
  status: 200,
  description: "A mail is on its way.",
  schema: messageAnswer,
} as const;

export const getUserOperation = {
  id: "getUser",
  method: "get",
  path: "/users/me",
  group,
  summary: "The signed-in user",
  access: "session",
  answer: { status: 200, description: "You.", schema: userAnswer },
} as const satisfies Operation;

/** The address it had first, which stays. */
export const getMeOperation = {
  ...getUserOperation,
  id: "getMe",
  path: "/auth/me",
  summary: "The signed-in user, as at /users/me",
} as const satisfies Operation;

export const changeUserOperation = {
  id: "changeUser",
  method: "patch",
  path: "/users/me",
  group,
  summary: "Choose or change the username",
  access: "session",
  body: { schema: changeUserBody, required: true, example: { username: "ana" } },
  answer: { status: 200, description: "Changed.", schema: userAnswer },
  problems: [authErrors.usernameTaken],
} as const satisfies Operation;

export const requestEmailOperation = {
  id: "requestEmailCode",
  method: "post",
  path: "/users/me/email",
  group,
  summary: "Send a code to a new address",
  description:
    "Whether the address is another account's is not told here, only to who has the code.",
  access: "session",
  body: { schema: requestEmailBody, required: true, example: { email: "ana@example.org" } },
  answer: codeSent,
  problems: [authErrors.emailUnchanged, ...codeProblems],
} as const satisfies Operation;

export const verifyEmailOperation = {
  id: "changeEmail",
  method: "post",
  path: "/users/me/email/verify",
  group,
  summary: "Change the address, with the code sent to the new one",
  access: "session",
  body: {
    schema: verifyEmailBody,
    required: true,
    example: { email: "ana@example.org", code: "123456" },
  },
  answer: { status: 200, description: "Changed.", schema: userAnswer },
  problems: [authErrors.emailTaken, ...tryProblems],
} as const satisfies Operation;

export const requestDeletionOperation = {
  id: "requestDeletionCode",
  method: "post",
  path: "/users/me/delete-code",
  group,
  summary: "Send a code that confirms the deletion of the account",
  access: "session",
  answer: codeSent,
  problems: codeProblems,
} as const satisfies Operation;

/** Not `DELETE` with a body: what lies between may drop the body (RFC 9110, 9.3.5). */
export const deleteUserOperation = {
  id: "deleteUser",
  method: "post",
  path: "/users/me/delete",
  group,
  summary: "Delete the account, with the code",
  description: "With its sessions, codes and e-mail preferences, for good.",
  access: "session",
  body: { schema: deleteUserBody, required: true, example: { code: "123456" } },
  answer: { status: 204, description: "Gone." },
  problems: tryProblems,
} as const satisfies Operation;

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
  const sendUser = async (context: HttpContext) =>
    context.json(userResponse((await getSignedIn(context, deps)).user));
  addOperation(app, getUserOperation, sendUser);
  addOperation(app, getMeOperation, sendUser);
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
  const requestedBy = { client: context.get("client"), locale: mailLocale(context, deps) };
  const outcome = await changeEmail(deps, { user, email, code, ...requestedBy });
  switch (outcome.kind) {
    case "changed": {
      const fields = { userId: user.id, messageID: outcome.messageId };
      deps.log.info({ ...fields, requestId: context.get("requestId") }, "Address changed");
      return context.json(userResponse(outcome.user));
    }
    case "wrong":
      return wrongCodeResponse(context, authErrors.confirmationInvalid, outcome.locked);
    case "rate_limited":
      return tooManyAttemptsResponse(context, outcome.limit);
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
  const requestedBy = { client: context.get("client"), locale: mailLocale(context, deps) };
  const outcome = await requestCode(deps, { ...scope, ...requestedBy });
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
    case "rate_limited":
      return tooManyAttemptsResponse(context, outcome.limit);
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
