// The account of the signed-in user: reading it, username, deletion.
import { z } from "zod";
import { InstantError, unreachable } from "../core/errors.ts";
import { readJson } from "../core/http/body.ts";
import type { HttpContext } from "../core/http/problem.ts";
import type { AuthDeps, AuthRoute } from "./auth-deps.ts";
import { deviceOf, dropDevice } from "./known-devices.ts";
import { limitedUsername } from "./limits/limits.ts";
import { noticeDeletion } from "./notices.ts";
import { exhaustedLimit, rateLimitedError } from "./rate-limited.ts";
import {
  codeSentAnswer,
  codeSentResponse,
  mailLocale,
  sendCode,
  sendCodeProblems,
} from "./request-code.ts";
import { authErrors, codeSchema, conflict, userAnswer, userResponse } from "./schemas.ts";
import type { SignedIn } from "./session-routes.ts";
import { clearSessionCookie, getSignedIn } from "./session-routes.ts";
import { isReservedUsername } from "./users/reserved-usernames.ts";
import type { User } from "./users/user-store.ts";
import { emailUndoMs, usernameKeyOf, usernameSchema } from "./users/user-store.ts";
import type { CheckCodeOutcome } from "./verify-code.ts";
import { checkCode, refusedCode } from "./verify-code.ts";

// The signed-in user, and choosing a username.

const group = "Account";

export const getUserRoute: AuthRoute = {
  id: "getUser",
  method: "get",
  path: "/users/me",
  group,
  summary: "The signed-in user",
  access: "session",
  answer: { status: 200, description: "You.", schema: userAnswer },
  handle: async (context, deps) => {
    const { user } = await getSignedIn(context, deps);
    return context.json(userResponse(user));
  },
};

/** Its original path, kept for compatibility. */
export const getMeRoute: AuthRoute = {
  ...getUserRoute,
  id: "getMe",
  path: "/auth/me",
  summary: "The signed-in user, as at /users/me",
};

export const changeUserBody = z.object({ username: usernameSchema });

export const changeUserRoute: AuthRoute = {
  id: "changeUser",
  method: "patch",
  path: "/users/me",
  group,
  summary: "Choose or change the username",
  access: "session",
  body: { schema: changeUserBody, required: true, example: { username: "ana" } },
  answer: { status: 200, description: "Changed.", schema: userAnswer },
  problems: [authErrors.usernameTaken, authErrors.tooManyRequests],
  handle: async (context, deps) => {
    const { user } = await getSignedIn(context, deps);
    const { username } = await readJson(context, changeUserBody);
    return context.json(userResponse(await changeUsername(context, deps, { user, username })));
  },
};

interface NewUsername {
  readonly user: User;
  readonly username: string;
}

/** Returns the user with the new username. Throws the problem to answer with. */
export async function changeUsername(
  context: HttpContext,
  { limits, limitPolicy, reservedUsernames, users }: AuthDeps,
  { user, username }: NewUsername,
): Promise<User> {
  const { id, email } = user;
  const client = context.get("client");
  const taken = await limits.take(limitedUsername(limitPolicy, { client, email }));
  if (taken.kind === "rate_limited") {
    throw rateLimitedError(exhaustedLimit(taken), authErrors.tooManyAttempts);
  }
  const isOwn = usernameKeyOf(username) === usernameKeyOf(user.username ?? "");
  if (!isOwn && isReservedUsername(username, reservedUsernames)) {
    throw conflict(authErrors.usernameTaken, "username", "is reserved");
  }
  const outcome = await users.setUsername({ id, username });
  switch (outcome.kind) {
    case "changed":
      return outcome.user;
    case "taken":
      throw conflict(authErrors.usernameTaken, "username", "is taken");
    case "gone":
      throw new InstantError(authErrors.unauthenticated);
    default:
      return unreachable(outcome);
  }
}

// Deleting an account, confirmed by a code that is sent to its address.

export const requestDeletionRoute: AuthRoute = {
  id: "requestDeletionCode",
  method: "post",
  path: "/users/me/delete-code",
  group,
  summary: "Send a code that confirms the deletion of the account",
  access: "session",
  answer: codeSentAnswer,
  problems: [authErrors.emailChangedRecently, ...sendCodeProblems],
  handle: async (context, deps) => {
    await sendDeletionCode(context, deps, (await getSignedIn(context, deps)).user);
    return context.json(codeSentResponse);
  },
};

/** Sends the code, to the user's address. Throws the problem to answer with. */
export async function sendDeletionCode(
  context: HttpContext,
  deps: AuthDeps,
  user: User,
): Promise<void> {
  await requireSettledEmail(deps, user);
  await sendCode(context, deps, { email: user.email, purpose: "delete_account" });
}

/**
 * Somebody who moved a stolen account to their own address must not be able to delete it before its
 * owner has undone that.
 */
async function requireSettledEmail(
  { users, clock }: Pick<AuthDeps, "users" | "clock">,
  { id }: User,
): Promise<void> {
  const changedAt = await users.findEmailChangedAt(id);
  if (changedAt === undefined) return;
  const retryAfterSeconds = Math.ceil((changedAt + emailUndoMs - clock.now()) / 1000);
  throw new InstantError(authErrors.emailChangedRecently, { details: { retryAfterSeconds } });
}

export const deleteUserBody = z.object({ code: codeSchema });

/** Not `DELETE` with a body: a proxy may drop the body (RFC 9110, 9.3.5). */
export const deleteUserRoute: AuthRoute = {
  id: "deleteUser",
  method: "post",
  path: "/users/me/delete",
  group,
  summary: "Delete the account, with the code",
  description:
    "With its sessions, codes and e-mail preferences, for good. Not while a change of its address can still be undone, which is for 72 hours.",
  access: "session",
  body: { schema: deleteUserBody, required: true, example: { code: "123456" } },
  answer: { status: 204, description: "Deleted." },
  problems: [
    authErrors.confirmationInvalid,
    authErrors.emailChangedRecently,
    authErrors.tooManyAttempts,
    authErrors.tooManyRequests,
  ],
  handle: async (context, deps) => {
    const signedIn = await getSignedIn(context, deps);
    const { code } = await readJson(context, deleteUserBody);
    await confirmDeletion(context, deps, { ...signedIn, code });
    return context.body(null, 204);
  },
};

interface ConfirmedDeletion extends SignedIn {
  readonly code: string;
}

/** Deletes the user, by the code, and clears the cookie. Throws the problem to answer with. */
export async function confirmDeletion(
  context: HttpContext,
  deps: AuthDeps,
  confirmed: ConfirmedDeletion,
): Promise<void> {
  await requireSettledEmail(deps, confirmed.user);
  const { id: userId, email } = confirmed.user;
  const client = context.get("client");
  const device = deviceOf(context, deps, email);
  const outcome = await deleteUser(deps, { ...confirmed, client, device });
  switch (outcome.kind) {
    case "deleted": {
      if (outcome.isFirst) noticeDeletion(deps, confirmed.user, mailLocale(context, deps));
      deps.log.info({ userId, requestId: context.get("requestId") }, "User deleted");
      clearSessionCookie(context, deps);
      dropDevice(context, deps, email);
      return;
    }
    case "wrong":
    case "rate_limited":
      throw refusedCode(outcome, authErrors.confirmationInvalid);
    default:
      return unreachable(outcome);
  }
}

interface Deletion extends ConfirmedDeletion {
  readonly client: string;
  readonly device: string | undefined;
}

type DeleteUserOutcome =
  /** `isFirst`: and not another copy of the request. */
  | { readonly kind: "deleted"; readonly isFirst: boolean }
  | Exclude<CheckCodeOutcome, { kind: "verified" }>;

/**
 * Deletes a user and everything stored about them. The code stays valid until the last step, and
 * every step may be repeated: a deletion that failed on an unavailable store is finished by trying
 * again. After the user is deleted nobody can retry; the session and codes that may remain then
 * give access to nothing and expire. Counted attempts and locks stay: they identify nobody.
 */
async function deleteUser(
  deps: AuthDeps,
  { user, session, code, client, device }: Deletion,
): Promise<DeleteUserOutcome> {
  const { users, sessions, codes } = deps;
  const { id: userId, email } = user;
  const submitted = { purpose: "delete_account", email, code, client, device } as const;
  const checked = await checkCode(deps, { ...submitted, consume: false });
  if (checked.kind !== "verified") return checked;
  for (const forget of deps.onUserDeleted) await forget(user);
  await sessions.revokeAll({ userId, except: session.id });
  const isFirst = await users.delete(userId);
  await sessions.revokeAll({ userId });
  await codes.forget(email);
  return { kind: "deleted", isFirst };
}
