import { unreachable } from "../core/errors.ts";
import type { EmailChangeNoticeDeps } from "./email-change-notice.ts";
import { noticeEmailChange } from "./email-change-notice.ts";
import type { TryCodeDeps, TryCodeOutcome } from "./try-code.ts";
import { tryCode } from "./try-code.ts";
import type { User, UserStore } from "./users/user-store.ts";

export interface ChangeEmailDeps extends TryCodeDeps, EmailChangeNoticeDeps {
  readonly users: UserStore;
  /** Whoever keeps something under an address carries it over here; none may throw. */
  readonly onEmailChanged: readonly ((change: {
    readonly from: string;
    readonly to: string;
  }) => Promise<void>)[];
}

export interface EmailChange {
  readonly user: User;
  /** The new address, in canonical form, and the code that was sent to it. */
  readonly email: string;
  readonly code: string;
  readonly client: string;
  /** The language of the notice to the old address. */
  readonly locale: string | undefined;
}

export type ChangeEmailOutcome =
  | { readonly kind: "changed"; readonly user: User; readonly messageId: string }
  | Exclude<TryCodeOutcome, { kind: "verified" }>
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
  { user, locale, ...entered }: EmailChange,
): Promise<ChangeEmailOutcome> {
  const owner = await deps.users.findByEmail(entered.email);
  const taken = owner !== undefined && owner.id !== user.id;
  const tried = await tryCode(deps, { ...entered, purpose: "change_email", consume: !taken });
  if (tried.kind !== "verified") return tried;
  if (taken) return { kind: "taken" };
  const outcome = await deps.users.setEmail({ id: user.id, email: entered.email });
  switch (outcome.kind) {
    case "changed": {
      const { messageId } = tried;
      const change = { from: user.email, to: entered.email };
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
