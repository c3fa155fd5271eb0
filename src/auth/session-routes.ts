// Who sent a request, and the calls about sessions.
import { z } from "zod";
import { InstantError } from "../core/errors.ts";
import { readOptionalJson } from "../core/http/body.ts";
import { bearerToken } from "../core/http/client-address.ts";
import type { Cookie } from "../core/http/cookies.ts";
import { clearCookie, readCookie, writeCookie } from "../core/http/cookies.ts";
import { jsonResponse } from "../core/http/headers.ts";
import type { HttpContext } from "../core/http/problem.ts";
import { httpErrors, problemResponse } from "../core/http/problem.ts";
import type { AuthDeps, AuthRoute } from "./auth-deps.ts";
import { dropDevice } from "./known-devices.ts";
import { authErrors, timeAnswer, userAnswer, userResponse } from "./schemas.ts";
import type { Session } from "./sessions/session-store.ts";
import { sessionEndsAt, sessionIdPattern } from "./sessions/session-store.ts";
import type { User } from "./users/user-store.ts";

/** The user of a request, and the session that authenticates it, by its token. */
export interface SignedIn {
  readonly user: User;
  readonly session: Session;
  readonly token: string;
}

type CookieDeps = Pick<AuthDeps, "cookieName" | "secureCookies">;
export type SessionDeps = Pick<AuthDeps, "sessions" | "users"> & CookieDeps;

/**
 * The sender of this request. Throws `unauthenticated` when none of its tokens belongs to a live
 * session.
 */
export async function getSignedIn(context: HttpContext, deps: SessionDeps): Promise<SignedIn> {
  const signedIn = await findSignedIn(context, deps);
  if (signedIn === undefined) throw new InstantError(authErrors.unauthenticated);
  return signedIn;
}

export async function findSignedIn(
  context: HttpContext,
  deps: SessionDeps,
): Promise<SignedIn | undefined> {
  const { sessions, users } = deps;
  for (const token of sessionTokens(context, deps)) {
    const session = await sessions.find(token);
    const user = session === undefined ? undefined : await users.findById(session.userId);
    if (session !== undefined && user !== undefined) return { user, session, token };
  }
  return undefined;
}

/** As `getSignedIn`, with the copy of the user that is kept with the session, if there is one. */
async function checkSignedIn(context: HttpContext, deps: SessionDeps): Promise<SignedIn> {
  const { sessions, users } = deps;
  for (const token of sessionTokens(context, deps)) {
    const checked = await sessions.check(token);
    if (checked === undefined) continue;
    const { session, checkedAt } = checked;
    if (checked.user !== undefined) return { user: checked.user, session, token };
    const user = await users.findById(session.userId);
    if (user === undefined) continue;
    await sessions.keepUser(user, checkedAt);
    return { user, session, token };
  }
  throw new InstantError(authErrors.unauthenticated);
}

/** The cookie that carries a session's token. */
export function sessionCookie({ cookieName: name, secureCookies: secure }: CookieDeps): Cookie {
  return { name, secure, sameSite: "Lax" };
}

/** The tokens of a request, nearly always one: `Authorization: Bearer …`, else those of the cookie. */
export function sessionTokens(context: HttpContext, deps: CookieDeps): readonly string[] {
  const bearer = bearerToken(context);
  return bearer === undefined ? readCookie(context, sessionCookie(deps)) : [bearer];
}

/**
 * Sets the cookie until the session's latest end. The store knows when it ends earlier for lack of
 * use, so the cookie need not be renewed with every request.
 */
export function setSessionCookie(
  context: HttpContext,
  token: string,
  deps: Pick<AuthDeps, "sessions"> & CookieDeps,
): void {
  const seconds = Math.floor(deps.sessions.policy.lifetimeMs / 1000);
  writeCookie(context, sessionCookie(deps), token, seconds);
}

export function clearSessionCookie(context: HttpContext, deps: CookieDeps): void {
  clearCookie(context, sessionCookie(deps));
}

// The sessions of a user, and ending them.

const group = "Sessions";

const sessionFields = {
  id: z.string().meta({ description: "Identifies the session; it gives no access." }),
  device: z.string().meta({ description: "For people.", examples: ["Firefox on Windows"] }),
  created_at: timeAnswer("The sign-in."),
  last_used_at: timeAnswer("The last use, to the minute."),
};

const currentSessionAnswer = z
  .object({
    user: userAnswer,
    session: z.object({
      ...sessionFields,
      expires_at: timeAnswer("When it ends if it is not used again."),
    }),
  })
  .meta({ id: "CurrentSession", description: "Who is signed in, and by which session." });

export const currentSessionRoute: AuthRoute = {
  id: "getCurrentSession",
  method: "get",
  path: "/auth/session",
  group,
  summary: "Who is signed in",
  description: "How another service checks a session: it forwards the token that it was given.",
  access: "session",
  answer: { status: 200, description: "The session is live.", schema: currentSessionAnswer },
  handle: async (context, deps) => {
    const { user, session } = await checkSignedIn(context, deps);
    const expires_at = timeOf(sessionEndsAt(session, deps.sessions.policy));
    const shown = { ...sessionResponse(session), expires_at };
    return jsonResponse({ user: userResponse(user), session: shown });
  },
};

const sessionsAnswer = z
  .object({
    sessions: z
      .array(
        z
          .object({
            ...sessionFields,
            current: z
              .boolean()
              .meta({ description: "Whether it is the session of this request." }),
          })
          .meta({ id: "Session", description: "A device on which somebody is signed in." }),
      )
      .meta({ description: "Most recently used first." }),
  })
  .meta({ id: "Sessions" });

export const listSessionsRoute: AuthRoute = {
  id: "listSessions",
  method: "get",
  path: "/auth/sessions",
  group,
  summary: "Where you are signed in",
  access: "session",
  answer: { status: 200, description: "All live sessions.", schema: sessionsAnswer },
  handle: async (context, deps) => {
    const { session: current } = await getSignedIn(context, deps);
    const all = await deps.sessions.list(current.userId);
    const sessions = all.map((session) => {
      return { ...sessionResponse(session), current: session.id === current.id };
    });
    return context.json({ sessions });
  },
};

export const revokeSessionRoute: AuthRoute = {
  id: "revokeSession",
  method: "delete",
  path: "/auth/sessions/{id}",
  group,
  summary: "End one session",
  description:
    "Takes effect at once, everywhere, and the device is no longer known. It may be the current session.",
  access: "session",
  pathParameters: {
    id: {
      schema: z.string().regex(new RegExp(`^${sessionIdPattern}$`)),
      pattern: sessionIdPattern, // "revoke-others" is not an id
      description: "The id from the list.",
      example: "gXvV0sYQkLZ8w2nTfJm3Eg",
    },
  },
  answer: { status: 204, description: "Ended." },
  problems: [authErrors.sessionNotFound, httpErrors.notFound],
  handle: async (context, deps) => {
    const signedIn = await getSignedIn(context, deps);
    const revoked = await revokeSession(context, deps, signedIn, context.req.param("id") ?? "");
    return revoked ? context.body(null, 204) : problemResponse(context, authErrors.sessionNotFound);
  },
};

const revokedAnswer = z
  .object({
    revoked: z.int().min(0).meta({ description: "The number of sessions that were ended." }),
  })
  .meta({ id: "Revoked" });

export const revokeOthersRoute: AuthRoute = {
  id: "revokeOtherSessions",
  method: "post",
  path: "/auth/sessions/revoke-others",
  group,
  summary: "End all other sessions",
  description: "No other device is known any longer, also where nobody is signed in.",
  access: "session",
  answer: { status: 200, description: "Only the current session is left.", schema: revokedAnswer },
  handle: async (context, deps) => {
    const signedIn = await getSignedIn(context, deps);
    return context.json({ revoked: await revokeOthers(deps, signedIn) });
  },
};

const logoutBody = z.object({
  everywhere: z
    .boolean()
    .default(false)
    .meta({ description: "End all sessions, not just this one." }),
});

export const logoutRoute: AuthRoute = {
  id: "logout",
  method: "post",
  path: "/auth/logout",
  group,
  summary: "Sign out",
  description:
    "Ends the session of the request, and the device stays known; or all of the user's, and no device does. Without a session it does nothing.",
  access: "anyone",
  body: { schema: logoutBody, required: false, example: { everywhere: true } },
  answer: { status: 204, description: "Signed out." },
  handle: async (context, deps) => {
    const { everywhere } = await readOptionalJson(context, logoutBody);
    const signedIn = everywhere ? await findSignedIn(context, deps) : undefined;
    if (signedIn !== undefined) {
      const { id: userId, email } = signedIn.user;
      await deps.codes.forgetDevices({ email });
      await deps.sessions.revokeAll({ userId });
      dropDevice(context, deps, email);
    }
    await signOut(context, deps);
    return context.body(null, 204);
  },
};

function sessionResponse({ id, device, createdAt, usedAt }: Session) {
  return { id, device, created_at: timeOf(createdAt), last_used_at: timeOf(usedAt) };
}

function timeOf(at: number): string {
  return new Date(at).toISOString();
}

/**
 * Ends the user's session with this id, perhaps the current one; false if there is none. Its device
 * is forgotten first: a call that fails in between is repeated.
 */
export async function revokeSession(
  context: HttpContext,
  deps: AuthDeps,
  { user, session: current }: SignedIn,
  id: string,
): Promise<boolean> {
  await deps.codes.forgetDevices({ email: user.email, only: id });
  const revoked = await deps.sessions.revokeOne({ userId: user.id, id });
  if (revoked && id === current.id) {
    clearSessionCookie(context, deps);
    dropDevice(context, deps, user.email);
  }
  return revoked;
}

/** Ends all other sessions of the user, and forgets all other devices; returns how many ended. */
export async function revokeOthers(
  { codes, sessions }: AuthDeps,
  { user, session: { id: except } }: SignedIn,
): Promise<number> {
  await codes.forgetDevices({ email: user.email, except });
  return sessions.revokeAll({ userId: user.id, except });
}

/**
 * Ends the session of this request, if there is one, and clears the cookie. The device stays known:
 * it is at the next sign-in that this protects its owner.
 */
export async function signOut(context: HttpContext, deps: AuthDeps): Promise<void> {
  for (const token of sessionTokens(context, deps)) await deps.sessions.revoke(token);
  clearSessionCookie(context, deps);
}
