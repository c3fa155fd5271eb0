import { z } from "zod";
import type { ErrorRow } from "../core/errors.ts";
import { InstantError, unreachable } from "../core/errors.ts";
import { readJson } from "../core/http/body.ts";
import type { HttpContext } from "../core/http/problem.ts";
import { maskEmail } from "../core/log.ts";
import { hmacText, randomToken } from "../core/secret.ts";
import type { AuthDeps, AuthRoute } from "./auth-deps.ts";
import type { CodePolicy, CodePurpose, VerifyOutcome, VerifyRequest } from "./codes/code-store.ts";
import { deriveVerifier } from "./codes/code-store.ts";
import { deviceOf, keepDevice } from "./known-devices.ts";
import { limitedAttempt, limitedUsername } from "./limits/limits.ts";
import { noticeSignIn, welcome } from "./notices.ts";
import type { ExhaustedLimit } from "./rate-limited.ts";
import {
  attemptsScopeOf,
  exhaustedLimit,
  giveBack,
  rateLimitedError,
  wrongCodeError,
} from "./rate-limited.ts";
import { mailLocale } from "./request-code.ts";
import { authErrors, codeSchema, emailSchema, userAnswer, userResponse } from "./schemas.ts";
import { findSignedIn, setSessionCookie } from "./session-routes.ts";
import type { Session, SessionNames } from "./sessions/session-store.ts";
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
    "The answer also sets the session's cookie, and one by which the device is known from then on. The first sign-in of an address creates its user; a username that is taken leaves the code good. The last wrong code that an address may have locks it: the answer has scope and retryAfterSeconds, and until then every code, even the right one, is a 429, except on a known device, which has attempts of its own. The code of the session that sends it, entered again, gets the same answer.",
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

/**
 * Signs in the sender of this request, and sets the cookies. `form`: a random text of the page that
 * the code is entered on; the same form sent twice is one sign-in. Throws the problem to answer with.
 */
export async function signIn(
  context: HttpContext,
  deps: AuthDeps,
  { email, code, username }: z.infer<typeof verifyCodeBody>,
  form = randomToken(),
): Promise<{ readonly token: string; readonly user: User }> {
  const outcome = await verifyCode(deps, {
    email,
    code,
    username,
    client: context.get("client"),
    device: deviceOf(context, deps, email),
    deviceName: describeDevice(context.req.header("User-Agent")),
    locale: mailLocale(context, deps),
    form,
  });
  switch (outcome.kind) {
    case "signed_in": {
      const { token, user, session, created, messageId } = outcome;
      const fields = { userId: user.id, created, messageID: messageId };
      deps.log.info({ ...fields, requestId: context.get("requestId") }, "Signed in");
      setSessionCookie(context, token, deps);
      keepDevice(context, deps, { email, id: session.id });
      return { token, user };
    }
    case "wrong": {
      const signedIn = outcome.used ? await findSignedIn(context, deps) : undefined;
      if (signedIn?.user.email === email) return signedIn;
      throw refusedCode(outcome, authErrors.codeInvalid);
    }
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
  /** The device on which it is entered, if it has the cookie of a known one. */
  readonly device: string | undefined;
  /** Its readable name. */
  readonly deviceName: string;
  /** The language of the resulting mails. */
  readonly locale: string | undefined;
  /** A random text of the form. */
  readonly form: string;
}

type VerifyCodeOutcome =
  | {
      readonly kind: "signed_in";
      readonly token: string;
      readonly user: User;
      readonly session: Session;
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
 * reveal it too. A form that is sent again, to whichever replica and perhaps at the same time, goes
 * through the same steps to the same session, and also finishes a sign-in that got stuck between
 * them; it causes no further mail.
 */
async function verifyCode(
  deps: AuthDeps,
  { username, deviceName, locale, form, ...submitted }: SubmittedCode,
): Promise<VerifyCodeOutcome> {
  const { limits, sessions, users } = deps;
  const { email } = submitted;
  const { attempt, ...names } = nameSignIn(deps.keys.current.secret, form, submitted);
  const use = username === undefined ? undefined : limitedUsername(deps.limitPolicy, submitted);
  const isLimited = use !== undefined && (await limits.take(use)).kind === "rate_limited";
  const wanted = isLimited ? undefined : username;
  const taken = await isTaken(deps, email, wanted);
  const attempted = { attempt, remember: names.id, consume: !taken } as const;
  const startedAt = deps.clock.now();
  const checked = await checkCode(deps, { ...submitted, ...attempted, purpose: "sign_in" });
  if (checked.kind !== "verified") {
    if (use !== undefined && !isLimited) await giveBack(limits, use); // nothing was revealed
    return checked;
  }
  if (taken) return { kind: "username_taken" };
  const { user, created } = await users.signIn({ email, username: wanted });
  const { token, session } = await sessions.create({
    userId: user.id,
    device: deviceName,
    ...names,
  });
  // A change of the address, an undo or a deletion that ended all sessions did not see this one.
  if ((await users.findById(user.id))?.email !== email) {
    await sessions.revokeOne(session);
    return wrongOnce;
  }
  const { messageId, known, repeated } = checked;
  if (created) welcome(deps, user, locale);
  else if (!known && !repeated && user.createdAt < startedAt) {
    noticeSignIn(deps, { user, session, messageId, locale }); // not of a copy that created the user
  }
  return { kind: "signed_in", token, user, session, created, messageId };
}

/**
 * What follows from a form and the code entered in it: the same for each time that it is sent. To
 * find the token one would have to know the form's 256 random bits and the secret.
 */
function nameSignIn(
  secret: string,
  form: string,
  { email, code }: Pick<SubmittedCode, "email" | "code">,
): SessionNames & { readonly attempt: string } {
  const name = (purpose: string) => hmacText(secret, "base64url", purpose, form, email, code);
  return {
    attempt: name("attempt"),
    id: name("session-id").slice(0, 22),
    token: name("session-token"),
  };
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
  /** The device on which it is entered, if it has the cookie of a known one. */
  readonly device: string | undefined;
  /** False: a right code stays valid. */
  readonly consume: boolean;
  /** The same again is the same attempt; random when left out. */
  readonly attempt?: string;
  /** The device to know after a right code. */
  readonly remember?: string;
}

export type CheckCodeOutcome =
  | Extract<VerifyOutcome, { kind: "verified" }>
  /** With `locked`: the attempt exhausted the budget. `used`: it was right, once. */
  | {
      readonly kind: "wrong";
      readonly locked: ExhaustedLimit | undefined;
      readonly used: boolean;
    }
  /** Nothing was compared. */
  | { readonly kind: "rate_limited"; readonly limit: ExhaustedLimit };

/**
 * Checks an entered code. The budgets of its network are charged before anything is compared, so
 * that concurrent attempts cannot exceed them, and refunded when the code was right or was not
 * compared. A known device has a budget of its own instead; one that has been forgotten is any
 * client.
 */
export async function checkCode(deps: AuthDeps, submitted: CodeAttempt): Promise<CheckCodeOutcome> {
  const { codes, limits, limitPolicy } = deps;
  const { email, device } = submitted;
  const prepared = codes.prepare(email);
  if (device !== undefined) {
    const checked = await prepared.verify(verifyRequestOf(deps, submitted));
    return checked.kind === "unknown_device"
      ? checkCode(deps, { ...submitted, device: undefined })
      : checkedCode(deps, submitted, checked);
  }
  const use = limitedAttempt(limitPolicy, submitted);
  const taken = await limits.take(use);
  if (taken.kind === "rate_limited") return { kind: "rate_limited", limit: exhaustedLimit(taken) };
  const checked = await prepared.verify(verifyRequestOf(deps, submitted));
  if (checked.kind !== "wrong") await giveBack(limits, use);
  return checkedCode(deps, submitted, checked);
}

function verifyRequestOf(
  { keys }: AuthDeps,
  { client: _client, code, attempt = crypto.randomUUID(), ...submitted }: CodeAttempt,
): VerifyRequest {
  const verifiers = keys.all.map(({ secret }) => deriveVerifier(secret, submitted, code));
  return { ...submitted, attempt, verifiers };
}

function checkedCode(
  { codes, log }: AuthDeps,
  { purpose, email, client, device }: CodeAttempt,
  checked: VerifyOutcome,
): CheckCodeOutcome {
  switch (checked.kind) {
    case "wrong": {
      if (checked.lockedForMs === undefined) return wrongOnce;
      const locked = exhaustedAttemptsLimit(codes.policy, checked.lockedForMs, device);
      const lockedSeconds = Math.ceil(checked.lockedForMs / 1000);
      const fields = { email: maskEmail(email), purpose, client, lockedSeconds };
      log.warn({ ...fields, scope: locked.scope }, "Address locked");
      return { ...wrongOnce, locked };
    }
    case "used":
      return { ...wrongOnce, used: true };
    case "locked": {
      const limit = exhaustedAttemptsLimit(codes.policy, checked.retryAfterMs, device);
      return { kind: "rate_limited", limit };
    }
    case "verified":
      return checked;
    case "unknown_device":
      throw new Error("only a call that names a device can find it unknown");
    default:
      return unreachable(checked);
  }
}

const wrongOnce = { kind: "wrong", locked: undefined, used: false } as const;

function exhaustedAttemptsLimit(
  policy: CodePolicy,
  retryAfterMs: number,
  device: string | undefined,
): ExhaustedLimit {
  const { attemptsMax: quota, attemptsWindowMs: windowMs } = policy;
  return { scope: attemptsScopeOf(device), quota, windowMs, retryAfterMs };
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
