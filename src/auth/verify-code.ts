import { z } from "zod";
import type { ErrorRow } from "../core/errors.ts";
import { InstantError, unreachable } from "../core/errors.ts";
import { readJson } from "../core/http/body.ts";
import type { HttpContext } from "../core/http/problem.ts";
import { maskEmail } from "../core/log.ts";
import type { AuthDeps, AuthRoute } from "./auth-deps.ts";
import type { CodePolicy, CodePurpose } from "./codes/code-store.ts";
import { deriveVerifier } from "./codes/code-store.ts";
import { limitedAttempt, limitedUsername } from "./limits/limits.ts";
import { noticeSignIn, welcome } from "./notices.ts";
import type { ExhaustedLimit } from "./rate-limited.ts";
import {
  attemptsScope,
  exhaustedLimit,
  giveBack,
  rateLimitedError,
  wrongCodeError,
} from "./rate-limited.ts";
import { mailLocale } from "./request-code.ts";
import { authErrors, codeSchema, emailSchema, userAnswer, userResponse } from "./schemas.ts";
import { setSessionCookie } from "./session-routes.ts";
import { describeDevice } from "./sessions/session-store.ts";
import { isReservedUsername } from "./users/reserved-usernames.ts";
import type { User } from "./users/user-store.ts";
import { usernameSchema } from "./users/user-store.ts";

// Signing in with a code, and checking a code of any purpose.

export const verifyCodeBody = z.object({
  email: emailSchema,
  code: codeSchema,
  username: usernameSchema.optional(),
});

const signedInAnswer = z
  .object({
    token: z.string().meta({ description: "For `Authorization: Bearer`; shown once." }),
    user: userAnswer,
  })
  .meta({ id: "SignedIn" });

export const verifyCodeRoute: AuthRoute = {
  id: "verifyCode",
  method: "post",
  path: "/auth/verify-code",
  group: "Sign-in",
  summary: "Sign in with the code",
  description:
    "The answer also sets the session's cookie. The first sign-in of an address creates its user; a username that is taken leaves the code good. The last wrong code that an address may have locks it: the answer has scope and retryAfterSeconds, and until then every code, even the right one, is a 429.",
  access: "anyone",
  body: {
    schema: verifyCodeBody,
    required: true,
    example: { email: "ana@example.com", code: "123456" },
  },
  answer: { status: 200, description: "Signed in.", schema: signedInAnswer },
  problems: [
    authErrors.codeInvalid,
    authErrors.usernameTaken,
    authErrors.tooManyAttempts,
    authErrors.tooManyRequests,
  ],
  handle: async (context, deps) => {
    const { token, user } = await signIn(context, deps, await readJson(context, verifyCodeBody));
    return context.json({ token, user: userResponse(user) });
  },
};

/** Signs in the sender of this request, and sets the cookie. Throws the problem to answer with. */
export async function signIn(
  context: HttpContext,
  deps: AuthDeps,
  { email, code, username }: z.infer<typeof verifyCodeBody>,
): Promise<{ readonly token: string; readonly user: User }> {
  const client = context.get("client");
  const device = describeDevice(context.req.header("User-Agent"));
  const locale = mailLocale(context, deps);
  const outcome = await verifyCode(deps, { email, code, username, client, device, locale });
  switch (outcome.kind) {
    case "signed_in": {
      const { token, user, created, messageId } = outcome;
      const fields = { userId: user.id, created, messageID: messageId };
      deps.log.info({ ...fields, requestId: context.get("requestId") }, "Signed in");
      setSessionCookie(context, token, deps);
      return { token, user };
    }
    case "wrong":
    case "rate_limited":
      throw refusedCode(outcome, authErrors.codeInvalid);
    case "username_taken":
      throw new InstantError(authErrors.usernameTaken, {
        detail: "The username belongs to another user; the code is still good.",
        details: { errors: [{ field: "username", message: "is taken" }] },
      });
    default:
      return unreachable(outcome);
  }
}

interface SubmittedCode {
  /** The address in canonical form. */
  readonly email: string;
  readonly code: string;
  readonly username: string | undefined;
  /** The client that enters it, as rate limits count it. */
  readonly client: string;
  /** The device's readable name. */
  readonly device: string;
  /** The language of the resulting mails. */
  readonly locale: string | undefined;
}

type VerifyCodeOutcome =
  | {
      readonly kind: "signed_in";
      readonly token: string;
      readonly user: User;
      /** Whether this was the first sign-in of the address. */
      readonly created: boolean;
      /** The id of the mail with the code. */
      readonly messageId: string;
    }
  | Exclude<CheckCodeOutcome, { kind: "verified" }>
  /** The code was right and is still valid. */
  | { readonly kind: "username_taken" };

const usersDeadlineMs = 2_000;

/**
 * Signs in with a code, once. Two things are checked before the code is used up: whether the users'
 * store answers, so that an outage does not cost the code, and whether the username belongs to
 * another user. The latter is revealed only with the right code, or usernames and addresses could
 * be enumerated; and so often an hour, then the sign-in is one without a username: a refusal would
 * reveal it too.
 */
async function verifyCode(
  deps: AuthDeps,
  { username, device, locale, ...submitted }: SubmittedCode,
): Promise<VerifyCodeOutcome> {
  const { limits, sessions, users } = deps;
  const { email } = submitted;
  const asked = username === undefined ? undefined : limitedUsername(deps.limitPolicy, submitted);
  const isLimited = asked !== undefined && (await limits.take(asked)).kind === "rate_limited";
  const wanted = isLimited ? undefined : username;
  const taken = await isTaken(deps, email, wanted);
  const checked = await checkCode(deps, { ...submitted, purpose: "sign_in", consume: !taken });
  if (checked.kind !== "verified") {
    if (asked !== undefined && !isLimited) await giveBack(limits, asked); // nothing was revealed
    return checked;
  }
  if (taken) return { kind: "username_taken" };
  const { user, created } = await users.signIn({ email, username: wanted });
  const { token, session } = await sessions.create({ userId: user.id, device });
  const { messageId } = checked;
  if (created) welcome(deps, user, locale);
  else noticeSignIn(deps, { user, session, messageId, locale });
  return { kind: "signed_in", token, user, created, messageId };
}

async function isTaken(
  { users, reservedUsernames }: AuthDeps,
  email: string,
  username: string | undefined,
): Promise<boolean> {
  if (username === undefined) {
    await users.ping({ deadlineMs: usersDeadlineMs });
    return false;
  }
  const owner = await users.findByUsername(username);
  if (owner === undefined) return isReservedUsername(username, reservedUsernames);
  return owner.email !== email;
}

interface CodeAttempt {
  readonly purpose: CodePurpose;
  /** The address in canonical form. */
  readonly email: string;
  readonly code: string;
  /** The client that enters it, as rate limits count it. */
  readonly client: string;
  /** False: a right code stays valid. */
  readonly consume: boolean;
}

export type CheckCodeOutcome =
  | { readonly kind: "verified"; readonly messageId: string }
  /** With `locked`: the attempt exhausted the budget. */
  | { readonly kind: "wrong"; readonly locked: ExhaustedLimit | undefined }
  /** Nothing was compared. */
  | { readonly kind: "rate_limited"; readonly limit: ExhaustedLimit };

/**
 * Checks an entered code. The budgets of its network are charged before anything is compared, so
 * that concurrent attempts cannot exceed them, and refunded when the code was right or was not
 * compared.
 */
export async function checkCode(
  { codes, limits, limitPolicy, keys, log }: AuthDeps,
  { purpose, email, code, client, consume }: CodeAttempt,
): Promise<CheckCodeOutcome> {
  const use = limitedAttempt(limitPolicy, { client, email });
  const prepared = codes.prepare(email);
  const taken = await limits.take(use);
  if (taken.kind === "rate_limited") return { kind: "rate_limited", limit: exhaustedLimit(taken) };
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
      await giveBack(limits, use);
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
  return { scope: attemptsScope, quota, windowMs, retryAfterMs };
}

/**
 * The problem of a code that was not verified, for every call that takes a code; `wrong`: the row
 * of a wrong one.
 */
export function refusedCode(
  outcome: Exclude<CheckCodeOutcome, { kind: "verified" }>,
  wrong: ErrorRow,
): InstantError {
  return outcome.kind === "wrong"
    ? wrongCodeError(wrong, outcome.locked)
    : rateLimitedError(outcome.limit, authErrors.tooManyAttempts);
}
