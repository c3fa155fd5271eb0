import type { Hono } from "hono";
import type { HttpEnvironment } from "../core/http/environment.ts";
import { problemResponse } from "../core/http/problem.ts";
import { readOptionalJson } from "../core/http/read-json.ts";
import { addOperation } from "../core/openapi/operation.ts";
import { logoutBody } from "./bodies.ts";
import type { CurrentUserDeps } from "./current-session.ts";
import { findSignedIn, getSignedIn } from "./current-session.ts";
import { authErrors } from "./error-codes.ts";
import type { CookieSettings } from "./session-credential.ts";
import { clearSessionCookie, sessionTokens } from "./session-credential.ts";
import {
  currentSessionOperation,
  listSessionsOperation,
  logoutOperation,
  revokeOthersOperation,
  revokeSessionOperation,
} from "./session-operations.ts";
import { currentSessionResponse, sessionResponse } from "./sessions/session-response.ts";
import { userResponse } from "./users/user-response.ts";

export type SessionRouteDeps = CurrentUserDeps & CookieSettings;

/** `GET /auth/session`, what concerns `/auth/sessions`, and `POST /auth/logout`. */
export function addSessionRoutes(app: Hono<HttpEnvironment>, deps: SessionRouteDeps): void {
  const { sessions } = deps;
  addOperation(app, currentSessionOperation, async (context) => {
    const { user, session } = await getSignedIn(context, deps);
    const shown = currentSessionResponse(session, sessions.policy);
    return context.json({ user: userResponse(user), session: shown });
  });
  addOperation(app, listSessionsOperation, async (context) => {
    const { session: current } = await getSignedIn(context, deps);
    const all = await sessions.list(current.userId);
    return context.json({ sessions: all.map((session) => sessionResponse(session, current)) });
  });
  addOperation(app, revokeOthersOperation, async (context) => {
    const { session } = await getSignedIn(context, deps);
    const { userId, id: except } = session;
    return context.json({ revoked: await sessions.revokeAll({ userId, except }) });
  });
  addOperation(app, revokeSessionOperation, async (context) => {
    const { session } = await getSignedIn(context, deps);
    const id = context.req.param("id") ?? "";
    const revoked = await sessions.revokeOne({ userId: session.userId, id });
    if (!revoked) return problemResponse(context, authErrors.sessionNotFound);
    if (id === session.id) clearSessionCookie(context, deps);
    return context.body(null, 204);
  });
  addLogout(app, deps);
}

function addLogout(app: Hono<HttpEnvironment>, deps: SessionRouteDeps): void {
  const { sessions } = deps;
  addOperation(app, logoutOperation, async (context) => {
    const { everywhere } = await readOptionalJson(context, logoutBody);
    const signedIn = everywhere ? await findSignedIn(context, deps) : undefined;
    if (signedIn !== undefined) await sessions.revokeAll({ userId: signedIn.user.id });
    for (const token of sessionTokens(context)) await sessions.revoke(token);
    clearSessionCookie(context, deps);
    return context.body(null, 204); // signed in or not: afterwards nobody is
  });
}
