import { deleteCookie, getCookie, setCookie } from "hono/cookie";
import { InstantError } from "../core/errors.ts";
import type { HttpContext } from "../core/http/environment.ts";
import { authErrors } from "./error-codes.ts";
import type { Session, SessionStore } from "./sessions/session-store.ts";
import type { User, UserStore } from "./users/user-store.ts";

export const cookieName = "session_id";

export interface CookieSettings {
  /** Whether browsers send the cookie over https alone: in production. */
  readonly secureCookies: boolean;
}

/** The tokens a request brings: `Authorization: Bearer …` before the cookie `session_id`. */
export function sessionTokens(context: HttpContext): string[] {
  const header = context.req.header("Authorization") ?? "";
  const bearer = /^Bearer +(\S+)$/i.exec(header)?.[1];
  return [bearer, getCookie(context, cookieName)].filter((token) => token !== undefined);
}

/**
 * Gives the browser the token until the session's latest end. When it ends earlier for not being
 * used, the store knows; so the cookie need not be set again with every request.
 */
export function setSessionCookie(
  context: HttpContext,
  token: string,
  settings: CookieSettings & { readonly lifetimeMs: number },
): void {
  setCookie(context, cookieName, token, {
    ...attributes(settings),
    maxAge: Math.floor(settings.lifetimeMs / 1000),
  });
}

export function clearSessionCookie(context: HttpContext, settings: CookieSettings): void {
  deleteCookie(context, cookieName, attributes(settings));
}

function attributes({ secureCookies }: CookieSettings) {
  return { path: "/", httpOnly: true, sameSite: "Lax", secure: secureCookies } as const;
}

export interface CurrentUserDeps {
  readonly sessions: SessionStore;
  readonly users: UserStore;
}

export interface SignedIn {
  readonly user: User;
  readonly session: Session;
}

/** Who sent this request; undefined when no token it brings is of a live session. */
export async function findSignedIn(
  context: HttpContext,
  { sessions, users }: CurrentUserDeps,
): Promise<SignedIn | undefined> {
  for (const token of sessionTokens(context)) {
    const session = await sessions.find(token);
    const user = session === undefined ? undefined : await users.findById(session.userId);
    if (session !== undefined && user !== undefined) return { user, session };
  }
  return undefined;
}

/** Throws `unauthenticated` when it is nobody. */
export async function getSignedIn(context: HttpContext, deps: CurrentUserDeps): Promise<SignedIn> {
  const signedIn = await findSignedIn(context, deps);
  if (signedIn === undefined) throw new InstantError(authErrors.unauthenticated);
  return signedIn;
}
