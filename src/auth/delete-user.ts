import type { SignedIn } from "./current-session.ts";
import type { SessionStore } from "./sessions/session-store.ts";
import type { TryCodeDeps, TryCodeOutcome } from "./try-code.ts";
import { tryCode } from "./try-code.ts";
import type { User, UserStore } from "./users/user-store.ts";

export interface DeleteUserDeps extends TryCodeDeps {
  readonly users: UserStore;
  readonly sessions: SessionStore;
  /** Whoever else keeps something of a user forgets it here; each may be called again. */
  readonly onUserDeleted: readonly ((user: User) => Promise<void>)[];
}

export interface Deletion extends SignedIn {
  readonly code: string;
  readonly client: string;
}

export type DeleteUserOutcome =
  | { readonly kind: "deleted" }
  | Exclude<TryCodeOutcome, { kind: "verified" }>;

/**
 * Deletes a user with all that is kept of one. The code stays good until the last step, and every
 * step may be repeated: a deletion that met a store that is away is finished by asking again. Once the
 * user is gone nobody can ask again; what could then be left, this session and these codes, opens
 * nothing of the user's and ends by itself. Spent budgets and locks stay, they name nobody.
 */
export async function deleteUser(
  deps: DeleteUserDeps,
  { user, session, code, client }: Deletion,
): Promise<DeleteUserOutcome> {
  const { users, sessions, codes } = deps;
  const { id: userId, email } = user;
  const entered = { purpose: "delete_account", email, code, client, consume: false } as const;
  const tried = await tryCode(deps, entered);
  if (tried.kind !== "verified") return tried;
  for (const forget of deps.onUserDeleted) await forget(user);
  await sessions.revokeAll({ userId, except: session.id });
  await users.delete(userId);
  await sessions.revokeAll({ userId });
  await codes.forget(email);
  return { kind: "deleted" };
}
