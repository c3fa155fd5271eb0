import { InstantError } from "../core/errors.ts";
import type { HttpContext } from "../core/http/environment.ts";
import { authErrors } from "./error-codes.ts";
import { sessionTokens } from "./session-credential.ts";
import type { Session, SessionStore } from "./sessions/session-store.ts";
import type { User, UserStore } from "./users/user-store.ts";

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
