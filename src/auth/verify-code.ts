import type { SessionStore } from "./sessions/session-store.ts";
import type { SignInNoticeDeps } from "./sign-in-notice.ts";
import { noticeSignIn } from "./sign-in-notice.ts";
import type { TryCodeDeps, TryCodeOutcome } from "./try-code.ts";
import { tryCode } from "./try-code.ts";
import type { User, UserStore } from "./users/user-store.ts";
import type { WelcomeDeps } from "./welcome.ts";
import { welcome } from "./welcome.ts";

export interface VerifyCodeDeps extends TryCodeDeps, WelcomeDeps, SignInNoticeDeps {
  readonly sessions: SessionStore;
  readonly users: UserStore;
}

export interface EnteredCode {
  /** In canonical form. */
  readonly email: string;
  readonly code: string;
  readonly username: string | undefined;
  /** Who tries, as it is counted. */
  readonly client: string;
  /** Where, for people. */
  readonly device: string;
  /** The language of the mails that come of it. */
  readonly locale: string | undefined;
}

export type VerifyCodeOutcome =
  | {
      readonly kind: "signed_in";
      readonly token: string;
      readonly user: User;
      /** Whether this was the first sign-in of the address. */
      readonly created: boolean;
      /** Of the mail that brought the code. */
      readonly messageId: string;
    }
  | Exclude<TryCodeOutcome, { kind: "verified" }>
  /** The code was right and is still good. */
  | { readonly kind: "username_taken" };

const usersDeadlineMs = 2_000;

/**
 * Signs in with a code, once. Two things are asked before the code is used up: whether the users'
 * store answers, so that an outage does not cost the code, and whether the username is somebody
 * else's. The latter is told only to who has the right code, or usernames and addresses could be
 * found out by asking.
 */
export async function verifyCode(
  deps: VerifyCodeDeps,
  { username, device, locale, ...entered }: EnteredCode,
): Promise<VerifyCodeOutcome> {
  const { sessions, users } = deps;
  const { email } = entered;
  const taken = await isTaken(users, email, username);
  const tried = await tryCode(deps, { ...entered, purpose: "sign_in", consume: !taken });
  if (tried.kind !== "verified") return tried;
  if (taken) return { kind: "username_taken" };
  const { user, created } = await users.signIn({ email, username });
  const { token, session } = await sessions.create({ userId: user.id, device });
  const { messageId } = tried;
  if (created) welcome(deps, user, locale);
  else noticeSignIn(deps, { user, session, messageId, locale });
  return { kind: "signed_in", token, user, created, messageId };
}

async function isTaken(
  users: UserStore,
  email: string,
  username: string | undefined,
): Promise<boolean> {
  if (username === undefined) {
    await users.ping({ deadlineMs: usersDeadlineMs });
    return false;
  }
  const owner = await users.findByUsername(username);
  return owner !== undefined && owner.email !== email;
}
