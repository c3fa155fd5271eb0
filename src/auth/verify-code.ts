import { unreachable } from "../core/errors.ts";
import type { AuthKeys } from "./auth-keys.ts";
import { deriveVerifier } from "./codes/code.ts";
import type { CodeStore } from "./codes/code-store.ts";
import type { SessionStore } from "./sessions/session-store.ts";
import type { User, UserStore } from "./users/user-store.ts";

export interface VerifyCodeDeps {
  readonly codes: CodeStore;
  readonly sessions: SessionStore;
  readonly users: UserStore;
  readonly keys: AuthKeys;
}

export interface EnteredCode {
  /** In canonical form. */
  readonly email: string;
  readonly code: string;
  readonly username: string | undefined;
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
  | { readonly kind: "wrong" }
  | { readonly kind: "locked"; readonly retryAfterMs: number }
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
  { codes, sessions, users, keys }: VerifyCodeDeps,
  { email, code, username }: EnteredCode,
): Promise<VerifyCodeOutcome> {
  const scope = { email, purpose: "sign_in" } as const;
  const taken = await isTaken(users, email, username);
  const tried = await codes.verify({
    ...scope,
    verifiers: keys.all.map(({ secret }) => deriveVerifier(secret, scope, code)),
    attempt: crypto.randomUUID(),
    consume: !taken,
  });
  switch (tried.kind) {
    case "wrong":
    case "locked":
      return tried;
    case "verified": {
      if (taken) return { kind: "username_taken" };
      const { user, created } = await users.signIn({ email, username });
      const { token } = await sessions.create({ userId: user.id });
      return { kind: "signed_in", token, user, created, messageId: tried.messageId };
    }
    default:
      return unreachable(tried);
  }
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
