import { unreachable } from "../core/errors.ts";
import type { SignedIn } from "./current-session.ts";
import type { EmailChangeNoticeDeps } from "./notices.ts";
import { noticeEmailChange } from "./notices.ts";
import type { SessionStore } from "./sessions/session-store.ts";
import type { User, UserStore } from "./users/user-store.ts";
import type { CheckCodeDeps, CheckCodeOutcome } from "./verify-code.ts";
import { checkCode } from "./verify-code.ts";

export interface ChangeEmailDeps extends CheckCodeDeps, EmailChangeNoticeDeps {
  readonly users: UserStore;
  /** Whoever keeps something under an address carries it over here; none may throw. */
  readonly onEmailChanged: readonly ((change: {
    readonly from: string;
    readonly to: string;
  }) => Promise<void>)[];
}

interface EmailChange {
  readonly user: User;
  /** The new address, in canonical form, and the code that was sent to it. */
  readonly email: string;
  readonly code: string;
  readonly client: string;
  /** The language of the notice to the old address. */
  readonly locale: string | undefined;
}

type ChangeEmailOutcome =
  | { readonly kind: "changed"; readonly user: User; readonly messageId: string }
  | Exclude<CheckCodeOutcome, { kind: "verified" }>
  /** The code was right and is still good. */
  | { readonly kind: "taken" }
  /** The user was deleted meanwhile. */
  | { readonly kind: "gone" };

/**
 * Gives a user the address whose code was entered. That it is another user's is told only to who has
 * the right code, and so owns it: asking for the code tells nothing.
 */
export async function changeEmail(
  deps: ChangeEmailDeps,
  { user, locale, ...submitted }: EmailChange,
): Promise<ChangeEmailOutcome> {
  const owner = await deps.users.findByEmail(submitted.email);
  const taken = owner !== undefined && owner.id !== user.id;
  const checked = await checkCode(deps, { ...submitted, purpose: "change_email", consume: !taken });
  if (checked.kind !== "verified") return checked;
  if (taken) return { kind: "taken" };
  const outcome = await deps.users.setEmail({ id: user.id, email: submitted.email });
  switch (outcome.kind) {
    case "changed": {
      const { messageId } = checked;
      const change = { from: user.email, to: submitted.email };
      noticeEmailChange(deps, { ...change, messageId, locale });
      for (const carry of deps.onEmailChanged) await carry(change);
      return { ...outcome, messageId };
    }
    case "taken":
    case "gone":
      return outcome;
    default:
      return unreachable(outcome);
  }
}

export interface DeleteUserDeps extends CheckCodeDeps {
  readonly users: UserStore;
  readonly sessions: SessionStore;
  /** Whoever else keeps something of a user forgets it here; each may be called again. */
  readonly onUserDeleted: readonly ((user: User) => Promise<void>)[];
}

interface Deletion extends SignedIn {
  readonly code: string;
  readonly client: string;
}

type DeleteUserOutcome =
  | { readonly kind: "deleted" }
  | Exclude<CheckCodeOutcome, { kind: "verified" }>;

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
  const submitted = { purpose: "delete_account", email, code, client, consume: false } as const;
  const checked = await checkCode(deps, submitted);
  if (checked.kind !== "verified") return checked;
  for (const forget of deps.onUserDeleted) await forget(user);
  await sessions.revokeAll({ userId, except: session.id });
  await users.delete(userId);
  await sessions.revokeAll({ userId });
  await codes.forget(email);
  return { kind: "deleted" };
}
