import { isInstantError, unreachable } from "../core/errors.ts";
import type { Log } from "../core/log.ts";
import { maskEmail } from "../core/log.ts";
import type { CodePolicy, CodePurpose } from "./codes/code.ts";
import { deriveVerifier } from "./codes/code.ts";
import type { CodeStore } from "./codes/code-store.ts";
import type { AuthKeys } from "./keys.ts";
import type { LimitedUse, LimitPolicy, Limits } from "./limits/limits.ts";
import { attemptLimits } from "./limits/limits.ts";
import type { SignInNoticeDeps, WelcomeDeps } from "./notices.ts";
import { noticeSignIn, welcome } from "./notices.ts";
import type { ExhaustedLimit } from "./rate-limited.ts";
import type { SessionStore } from "./sessions/session-store.ts";
import type { User, UserStore } from "./users/user-store.ts";

export interface CheckCodeDeps {
  readonly codes: CodeStore;
  readonly limits: Limits;
  readonly limitPolicy: LimitPolicy;
  readonly keys: AuthKeys;
  readonly log: Log;
}

interface CodeAttempt {
  readonly purpose: CodePurpose;
  /** In canonical form. */
  readonly email: string;
  readonly code: string;
  /** Who tries, as it is counted. */
  readonly client: string;
  /** False: a right code stays good. */
  readonly consume: boolean;
}

export type CheckCodeOutcome =
  | { readonly kind: "verified"; readonly messageId: string }
  /** With `locked`: it was the last of the budget, which is spent from now on. */
  | { readonly kind: "wrong"; readonly locked: ExhaustedLimit | undefined }
  /** Nothing was compared. */
  | { readonly kind: "rate_limited"; readonly limit: ExhaustedLimit };

/**
 * One entry of a code. What it costs the client is taken before anything is compared, so that many
 * at once get no more than is left, and given back when the code was right.
 */
export async function checkCode(
  { codes, limits, limitPolicy, keys, log }: CheckCodeDeps,
  { purpose, email, code, client, consume }: CodeAttempt,
): Promise<CheckCodeOutcome> {
  const use = { use: crypto.randomUUID(), limits: attemptLimits(limitPolicy, client) };
  const prepared = codes.prepare(email);
  const taken = await limits.take(use);
  if (taken.kind === "rate_limited") {
    return { kind: "rate_limited", limit: { ...taken.limit, retryAfterMs: taken.retryAfterMs } };
  }
  const scope = { purpose, email };
  const verifiers = keys.all.map(({ secret }) => deriveVerifier(secret, scope, code));
  const checked = await prepared.verify({ ...scope, verifiers, attempt: use.use, consume });
  switch (checked.kind) {
    case "wrong": {
      if (checked.lockedForMs === undefined) return { kind: "wrong", locked: undefined };
      const locked = exhaustedAttemptsLimit(codes.policy, checked.lockedForMs);
      const lockedSeconds = Math.ceil(checked.lockedForMs / 1000);
      const fields = { email: maskEmail(email), purpose, client, lockedSeconds };
      log.warn({ ...fields, scope: locked.scope }, "Address locked");
      return { kind: "wrong", locked };
    }
    case "locked":
      return {
        kind: "rate_limited",
        limit: exhaustedAttemptsLimit(codes.policy, checked.retryAfterMs),
      };
    case "verified":
      await giveBack(limits, use);
      return checked;
    default:
      return unreachable(checked);
  }
}

function exhaustedAttemptsLimit(policy: CodePolicy, retryAfterMs: number): ExhaustedLimit {
  const { attemptsMax: quota, attemptsWindowMs: windowMs } = policy;
  return { scope: "attempts-per-email", quota, windowMs, retryAfterMs };
}

/** The code is used by now: when the store has just gone away, it costs the client one try. */
async function giveBack(limits: Limits, use: LimitedUse): Promise<void> {
  try {
    await limits.giveBack(use);
  } catch (error) {
    if (!isInstantError(error)) throw error;
  }
}

export interface VerifyCodeDeps extends CheckCodeDeps, WelcomeDeps, SignInNoticeDeps {
  readonly sessions: SessionStore;
  readonly users: UserStore;
}

interface SubmittedCode {
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

type VerifyCodeOutcome =
  | {
      readonly kind: "signed_in";
      readonly token: string;
      readonly user: User;
      /** Whether this was the first sign-in of the address. */
      readonly created: boolean;
      /** Of the mail that brought the code. */
      readonly messageId: string;
    }
  | Exclude<CheckCodeOutcome, { kind: "verified" }>
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
  { username, device, locale, ...submitted }: SubmittedCode,
): Promise<VerifyCodeOutcome> {
  const { sessions, users } = deps;
  const { email } = submitted;
  const taken = await isTaken(users, email, username);
  const checked = await checkCode(deps, { ...submitted, purpose: "sign_in", consume: !taken });
  if (checked.kind !== "verified") return checked;
  if (taken) return { kind: "username_taken" };
  const { user, created } = await users.signIn({ email, username });
  const { token, session } = await sessions.create({ userId: user.id, device });
  const { messageId } = checked;
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
