import type { Hono } from "hono";
import type { HttpContext, HttpEnvironment } from "../core/http/environment.ts";
import { problemResponse } from "../core/http/problem.ts";
import { authErrors } from "./error-codes.ts";
import type { CookieSettings } from "./session-credential.ts";
import { clearSessionCookie, sessionTokens } from "./session-credential.ts";
import type { SessionStore } from "./sessions/session-store.ts";
import { userResponse } from "./users/user-response.ts";
import type { User, UserStore } from "./users/user-store.ts";

export interface CurrentUserDeps {
  readonly sessions: SessionStore;
  readonly users: UserStore;
}

/** Who sent this request; undefined when no token it brings is of a live session. */
export async function currentUser(
  context: HttpContext,
  { sessions, users }: CurrentUserDeps,
): Promise<User | undefined> {
  for (const token of sessionTokens(context)) {
    const session = await sessions.find(token);
    const user = session === undefined ? undefined : await users.findById(session.userId);
    if (user !== undefined) return user;
  }
  return undefined;
}

/** `GET /auth/me` and `POST /auth/logout`. */
export function addSessionRoutes(
  app: Hono<HttpEnvironment>,
  deps: CurrentUserDeps & CookieSettings,
): void {
  app.get("/auth/me", async (context) => {
    const user = await currentUser(context, deps);
    if (user !== undefined) return context.json(userResponse(user));
    return problemResponse(context, authErrors.unauthenticated, {
      headers: { "WWW-Authenticate": "Bearer" },
    });
  });
  app.post("/auth/logout", async (context) => {
    for (const token of sessionTokens(context)) await deps.sessions.revoke(token);
    clearSessionCookie(context, deps);
    return context.body(null, 204); // signed in or not: afterwards nobody is
  });
}
