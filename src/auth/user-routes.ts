import { z } from "zod";
import { InstantError, unreachable } from "../core/errors.ts";
import { readJson } from "../core/http/body.ts";
import type { AuthDeps, AuthRoute } from "./auth-deps.ts";
import { getSignedIn } from "./current-session.ts";
import { authErrors, conflict } from "./error-codes.ts";
import { userAnswer, userResponse } from "./schemas.ts";
import type { User } from "./users/user-store.ts";
import { usernameSchema } from "./users/user-store.ts";

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
