// The account of the signed-in user: reading it, username, change of address, deletion.
import { z } from "zod";
import { InstantError, unreachable } from "../core/errors.ts";
import { readJson } from "../core/http/body.ts";
import type { HttpContext } from "../core/http/problem.ts";
import { hmacText } from "../core/secret.ts";
import type { AuthDeps, AuthRoute } from "./auth-deps.ts";
import { deviceOf, dropDevice, keepDevice } from "./known-devices.ts";
import { noticeEmailChange } from "./notices.ts";
import {
  codeSentAnswer,
  codeSentResponse,
  mailLocale,
  requestCodeBody,
  sendCode,
  sendCodeProblems,
} from "./request-code.ts";
import {
  authErrors,
  codeSchema,
  conflict,
  emailSchema,
  userAnswer,
  userResponse,
} from "./schemas.ts";
import type { SignedIn } from "./session-routes.ts";
import { clearSessionCookie, getSignedIn } from "./session-routes.ts";
import type { Session } from "./sessions/session-store.ts";
import type { User } from "./users/user-store.ts";
import { usernameSchema } from "./users/user-store.ts";
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
  problems: [authErrors.usernameTaken],
  handle: async (context, deps) => {
    const { user } = await getSignedIn(context, deps);
    const { username } = await readJson(context, changeUserBody);
    return context.json(userResponse(await changeUsername(deps, user, username)));
  },
};

/** Returns the user with the new username. Throws the problem to answer with. */
export async function changeUsername(
  { users }: Pick<AuthDeps, "users">,
  { id }: User,
  username: string,
): Promise<User> {
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
  problems: sendCodeProblems,
  handle: async (context, deps) => {
    const { user } = await getSignedIn(context, deps);
    await sendCode(context, deps, { email: user.email, purpose: "delete_account" });
    return context.json(codeSentResponse);
  },
};

export const deleteUserBody = z.object({ code: codeSchema });

/** Not `DELETE` with a body: a proxy may drop the body (RFC 9110, 9.3.5). */
export const deleteUserRoute: AuthRoute = {
  id: "deleteUser",
  method: "post",
  path: "/users/me/delete",
  group,
  summary: "Delete the account, with the code",
  description: "With its sessions, codes and e-mail preferences, for good.",
  access: "session",
  body: { schema: deleteUserBody, required: true, example: { code: "123456" } },
  answer: { status: 204, description: "Deleted." },
  problems: [
    authErrors.confirmationInvalid,
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
  const { id: userId, email } = confirmed.user;
  const client = context.get("client");
  const device = deviceOf(context, deps, email);
  const outcome = await deleteUser(deps, { ...confirmed, client, device });
  switch (outcome.kind) {
    case "deleted": {
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
  | { readonly kind: "deleted" }
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
  await users.delete(userId);
  await sessions.revokeAll({ userId });
  await codes.forget(email);
  return { kind: "deleted" };
}

// Changing the address of a user, confirmed by a code that is sent to the new one.

export const requestEmailRoute: AuthRoute = {
  id: "requestEmailCode",
  method: "post",
  path: "/users/me/email",
  group,
  summary: "Send a code to a new address",
  description:
    "Whether the address belongs to another account is not revealed here, only with the code.",
  access: "session",
  body: { schema: requestCodeBody, required: true, example: { email: "ana@example.org" } },
  answer: codeSentAnswer,
  problems: [authErrors.emailUnchanged, ...sendCodeProblems],
  handle: async (context, deps) => {
    const { user } = await getSignedIn(context, deps);
    const { email } = await readJson(context, requestCodeBody);
    await sendEmailCode(context, deps, { user, email });
    return context.json(codeSentResponse);
  },
};

export const verifyEmailBody = z.object({ email: emailSchema, code: codeSchema });

export const verifyEmailRoute: AuthRoute = {
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
  problems: [
    authErrors.emailTaken,
    authErrors.confirmationInvalid,
    authErrors.tooManyAttempts,
    authErrors.tooManyRequests,
  ],
  handle: async (context, deps) => {
    const { user, session } = await getSignedIn(context, deps);
    const { email, code } = await readJson(context, verifyEmailBody);
    const changed = await confirmEmail(context, deps, { user, session, email, code });
    return context.json(userResponse(changed));
  },
};

interface NewEmail {
  readonly user: User;
  /** The new address, in canonical form. */
  readonly email: string;
}

/** Sends the code to the new address. Throws the problem to answer with. */
export async function sendEmailCode(
  context: HttpContext,
  deps: AuthDeps,
  { user, email }: NewEmail,
): Promise<void> {
  if (email === user.email) {
    throw conflict(authErrors.emailUnchanged, "email", "is your address already");
  }
  await sendCode(context, deps, { email, purpose: "change_email" });
}

interface ConfirmedEmail extends NewEmail {
  readonly session: Session;
  /** The code that was sent to it. */
  readonly code: string;
}

/** Sets the new address, confirmed by its code. Throws the problem to answer with. */
export async function confirmEmail(
  context: HttpContext,
  deps: AuthDeps,
  confirmed: ConfirmedEmail,
): Promise<User> {
  const { user, session, email } = confirmed;
  const client = context.get("client");
  const device = deviceOf(context, deps, email);
  const locale = mailLocale(context, deps);
  const outcome = await changeEmail(deps, { ...confirmed, client, device, locale });
  switch (outcome.kind) {
    case "changed": {
      const fields = { userId: user.id, messageID: outcome.messageId };
      deps.log.info({ ...fields, requestId: context.get("requestId") }, "Address changed");
      keepDevice(context, deps, { email, id: session.id, formerEmail: user.email });
      return outcome.user;
    }
    case "wrong":
    case "rate_limited":
      throw refusedCode(outcome, authErrors.confirmationInvalid);
    case "taken":
      throw conflict(authErrors.emailTaken, "email", "belongs to another account");
    case "gone":
      throw new InstantError(authErrors.unauthenticated);
    default:
      return unreachable(outcome);
  }
}

interface EmailChange extends ConfirmedEmail {
  readonly client: string;
  readonly device: string | undefined;
  /** The language of the notice to the old address. */
  readonly locale: string | undefined;
}

type ChangeEmailOutcome =
  | { readonly kind: "changed"; readonly user: User; readonly messageId: string }
  | Exclude<CheckCodeOutcome, { kind: "verified" }>
  /** The code was right and is still good. */
  | { readonly kind: "taken" }
  /** The user was deleted in the meantime. */
  | { readonly kind: "gone" };

/**
 * Whether the address belongs to another user is revealed only with the right code, that is to its
 * owner; requesting the code reveals nothing. The device is known at the new address from then on,
 * and no device at the old one, which may get another owner. The same code of the same session is
 * the same change.
 */
async function changeEmail(
  deps: AuthDeps,
  { user, session, locale, ...submitted }: EmailChange,
): Promise<ChangeEmailOutcome> {
  const owner = await deps.users.findByEmail(submitted.email);
  const taken = owner !== undefined && owner.id !== user.id;
  const attempt = hmacText(deps.keys.current.secret, "hex", "attempt", session.id, submitted.code);
  const attempted = { attempt, remember: session.id, consume: !taken } as const;
  const checked = await checkCode(deps, { ...submitted, ...attempted, purpose: "change_email" });
  if (checked.kind !== "verified") return checked;
  if (taken) return { kind: "taken" };
  const from = user.email;
  if (from === submitted.email) return { kind: "changed", user, messageId: checked.messageId };
  await deps.codes.forgetDevices({ email: from });
  const outcome = await deps.users.setEmail({ id: user.id, email: submitted.email });
  switch (outcome.kind) {
    case "changed": {
      const { messageId } = checked;
      const change = { from, to: submitted.email };
      if (!checked.repeated) noticeEmailChange(deps, { ...change, messageId, locale });
      for (const carryOver of deps.onEmailChanged) await carryOver(change);
      return { ...outcome, messageId };
    }
    case "taken":
    case "gone":
      return outcome;
    default:
      return unreachable(outcome);
  }
}
