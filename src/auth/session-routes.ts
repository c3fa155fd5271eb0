import type { Hono } from "hono";
import { z } from "zod";
import { readOptionalJson } from "../core/http/body.ts";
import type { HttpEnvironment } from "../core/http/environment.ts";
import { httpErrors, problemResponse } from "../core/http/problem.ts";
import type { Operation } from "../core/openapi/operation.ts";
import { addOperation } from "../core/openapi/operation.ts";
import type { CookieSettings, CurrentUserDeps } from "./current-session.ts";
import { clearSessionCookie, findSignedIn, getSignedIn, sessionTokens } from "./current-session.ts";
import { authErrors } from "./error-codes.ts";
import {
  currentSessionAnswer,
  logoutBody,
  revokedAnswer,
  sessionsAnswer,
  userResponse,
} from "./schemas.ts";
import type { Session, SessionPolicy } from "./sessions/session-store.ts";
import { sessionEndsAt, sessionIdPattern } from "./sessions/session-store.ts";

const group = "Sessions";

export const currentSessionOperation = {
  id: "getCurrentSession",
  method: "get",
  path: "/auth/session",
  group,
  summary: "Who is signed in",
  description: "How another service checks a session: it passes on the token it was given.",
  access: "session",
  answer: { status: 200, description: "The session is live.", schema: currentSessionAnswer },
} as const satisfies Operation;

export const listSessionsOperation = {
  id: "listSessions",
  method: "get",
  path: "/auth/sessions",
  group,
  summary: "Where you are signed in",
  access: "session",
  answer: { status: 200, description: "All live sessions.", schema: sessionsAnswer },
} as const satisfies Operation;

export const revokeSessionOperation = {
  id: "revokeSession",
  method: "delete",
  path: "/auth/sessions/{id}",
  group,
  summary: "End one session",
  description: "At once, everywhere. It may be the current one.",
  access: "session",
  pathParameters: {
    id: {
      schema: z.string().regex(new RegExp(`^${sessionIdPattern}$`)),
      pattern: sessionIdPattern, // "revoke-others" is no session
      description: "The id from the list.",
      example: "gXvV0sYQkLZ8w2nTfJm3Eg",
    },
  },
  answer: { status: 204, description: "Ended." },
  problems: [authErrors.sessionNotFound, httpErrors.notFound],
} as const satisfies Operation;

export const revokeOthersOperation = {
  id: "revokeOtherSessions",
  method: "post",
  path: "/auth/sessions/revoke-others",
  group,
  summary: "End all other sessions",
  access: "session",
  answer: { status: 200, description: "Only the current one is left.", schema: revokedAnswer },
} as const satisfies Operation;

export const logoutOperation = {
  id: "logout",
  method: "post",
  path: "/auth/logout",
  group,
  summary: "Sign out",
  description:
    "Ends the session of the request, or all of the user's. Without one it does nothing.",
  access: "anyone",
  body: { schema: logoutBody, required: false, example: { everywhere: true } },
  answer: { status: 204, description: "Nobody is signed in any more." },
} as const satisfies Operation;

/** A session in the list of a user's, which `current` asked for. */
function sessionResponse(session: Session, current: Session) {
  return { ...shown(session), current: session.id === current.id };
}

/** The session of the request. */
function currentSessionResponse(session: Session, policy: SessionPolicy) {
  return { ...shown(session), expires_at: timeOf(sessionEndsAt(session, policy)) };
}

function shown({ id, device, createdAt, usedAt }: Session) {
  return { id, device, created_at: timeOf(createdAt), last_used_at: timeOf(usedAt) };
}

function timeOf(at: number): string {
  return new Date(at).toISOString();
}

type SessionRouteDeps = CurrentUserDeps & CookieSettings;

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
