import { deleteCookie, getCookie, setCookie } from "hono/cookie";
import { InstantError } from "../core/errors.ts";
import type { HttpContext } from "../core/http/environment.ts";
import type { AuthDeps } from "./auth-deps.ts";
import { authErrors } from "./error-codes.ts";
import type { Session } from "./sessions/session-store.ts";
import type { User } from "./users/user-store.ts";

/** The user of a request, and the session that authenticates it. */
export interface SignedIn {
  readonly user: User;
  readonly session: Session;
}

type SessionDeps = Pick<AuthDeps, "sessions" | "users">;

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
  { sessions, users }: SessionDeps,
): Promise<SignedIn | undefined> {
  for (const token of sessionTokens(context)) {
    const session = await sessions.find(token);
    const user = session === undefined ? undefined : await users.findById(session.userId);
    if (session !== undefined && user !== undefined) return { user, session };
  }
  return undefined;
}

export const cookieName = "session_id";

/** The tokens of a request: `Authorization: Bearer …` before the cookie `session_id`. */
export function sessionTokens(context: HttpContext): string[] {
  const header = context.req.header("Authorization") ?? "";
  const bearer = /^Bearer +(\S+)$/i.exec(header)?.[1];
  return [bearer, getCookie(context, cookieName)].filter((token) => token !== undefined);
}

/**
 * Sets the cookie until the session's latest end. The store knows when it ends earlier for lack of
 * use, so the cookie need not be renewed with every request.
 */
export function setSessionCookie(
  context: HttpContext,
  token: string,
  deps: Pick<AuthDeps, "sessions" | "secureCookies">,
): void {
  const maxAge = Math.floor(deps.sessions.policy.lifetimeMs / 1000);
  setCookie(context, cookieName, token, { ...cookieAttributes(deps), maxAge });
}

export function clearSessionCookie(
  context: HttpContext,
  deps: Pick<AuthDeps, "secureCookies">,
): void {
  deleteCookie(context, cookieName, cookieAttributes(deps));
}

/** The attributes of all our cookies. */
export function cookieAttributes({ secureCookies }: Pick<AuthDeps, "secureCookies">) {
  return { path: "/", httpOnly: true, sameSite: "Lax", secure: secureCookies } as const;
}
