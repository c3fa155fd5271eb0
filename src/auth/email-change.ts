// Changing the address of a user, and undoing it. A change takes a code that is sent to the new
// address, and unless the sign-in is recent another one, sent to the current address: a stolen session
// alone must not be enough to take the account over.
import { z } from "zod";
import { InstantError, unreachable } from "../core/errors.ts";
import { readJson } from "../core/http/body.ts";
import type { HttpContext } from "../core/http/problem.ts";
import { hmacText, randomToken, signText, verifyText } from "../core/secret.ts";
import type { AuthDeps, AuthRoute } from "./auth-deps.ts";
import { deviceOf, keepDevice } from "./known-devices.ts";
import { mailLink, noticeEmailChange } from "./notices.ts";
import {
  codeSentResponse,
  mailLocale,
  requestCodeBody,
  sendCode,
  sendCodeProblems,
} from "./request-code.ts";
import {
  authErrors,
  codeSchema,
  conflict,
  emailSchema,
  userAnswer,
  userResponse,
} from "./schemas.ts";
import type { SignedIn } from "./session-routes.ts";
import { getSignedIn } from "./session-routes.ts";
import type { EmailChange, User } from "./users/user-store.ts";
import { emailUndoMs } from "./users/user-store.ts";
import { checkCode, refusedCode } from "./verify-code.ts";

const group = "Account";

const emailCodesAnswer = z
  .object({
    message: z.string().meta({ examples: [codeSentResponse.message] }),
    current_code_required: z.boolean().meta({
      description: "Whether another code was sent to the current address, which is needed too.",
    }),
  })
  .meta({ id: "EmailCodes" });

export const requestEmailRoute: AuthRoute = {
  id: "requestEmailCode",
  method: "post",
  path: "/users/me/email",
  group,
  summary: "Send a code to a new address",
  description:
    "If the session is more than 10 minutes old, another code is sent to the current address, and the change takes both. Whether the new address belongs to another account is not revealed here, only with the code.",
  access: "session",
  body: { schema: requestCodeBody, required: true, example: { email: "ana@example.org" } },
  answer: { status: 200, description: "Mails are on their way.", schema: emailCodesAnswer },
  problems: [authErrors.emailUnchanged, ...sendCodeProblems],
  handle: async (context, deps) => {
    const signedIn = await getSignedIn(context, deps);
    const { email } = await readJson(context, requestCodeBody);
    await sendEmailCodes(context, deps, { ...signedIn, email });
    const current_code_required = !isRecent(deps, signedIn);
    return context.json({ ...codeSentResponse, current_code_required });
  },
};

export const verifyEmailBody = z.object({
  email: emailSchema,
  code: codeSchema,
  current_code: codeSchema.optional(),
});

export const verifyEmailRoute: AuthRoute = {
  id: "changeEmail",
  method: "post",
  path: "/users/me/email/verify",
  group,
  summary: "Change the address, with the code sent to the new one",
  description:
    "It ends all other sessions. The old address gets a mail with a link that undoes the change, for 72 hours. `current_code` is the code that was sent to the current address; a session of at most 10 minutes does not need it.",
  access: "session",
  body: {
    schema: verifyEmailBody,
    required: true,
    example: { email: "ana@example.org", code: "123456", current_code: "654321" },
  },
  answer: { status: 200, description: "Changed.", schema: userAnswer },
  problems: [
    authErrors.emailTaken,
    authErrors.confirmationInvalid,
    authErrors.currentCodeInvalid,
    authErrors.currentCodeRequired,
    authErrors.tooManyAttempts,
    authErrors.tooManyRequests,
  ],
  handle: async (context, deps) => {
    const signedIn = await getSignedIn(context, deps);
    const { email, code, current_code } = await readJson(context, verifyEmailBody);
    const submitted = { ...signedIn, email, code, currentCode: current_code };
    return context.json(userResponse(await confirmEmail(context, deps, submitted)));
  },
};

const recentMs = 10 * 60_000;

/** Whether somebody has just shown with this session that they read the mails of the account. */
export function isRecent(
  { clock }: Pick<AuthDeps, "clock">,
  { session }: Pick<SignedIn, "session">,
): boolean {
  return clock.now() - session.createdAt <= recentMs;
}

interface NewEmail extends SignedIn {
  /** The new address, in canonical form. */
  readonly email: string;
}

/** Sends the codes that the change takes. Throws the problem to answer with. */
export async function sendEmailCodes(
  context: HttpContext,
  deps: AuthDeps,
  { email, ...signedIn }: NewEmail,
): Promise<void> {
  const { user } = signedIn;
  if (email === user.email) {
    throw conflict(authErrors.emailUnchanged, "email", "is your address already");
  }
  await sendCode(context, deps, { email, purpose: "change_email" });
  if (isRecent(deps, signedIn)) return;
  await sendCode(context, deps, { email: user.email, purpose: "leave_email" });
}

interface ConfirmedEmail extends NewEmail {
  /** The code that was sent to it. */
  readonly code: string;
  /** The one that was sent to the current address. */
  readonly currentCode: string | undefined;
}

/**
 * Changes the address, and ends all other sessions. Throws the problem to answer with. That the
 * address belongs to another user is revealed only with the right codes, that is to its owner;
 * requesting them reveals nothing.
 */
export async function confirmEmail(
  context: HttpContext,
  deps: AuthDeps,
  { user, session, email, ...submitted }: ConfirmedEmail,
): Promise<User> {
  const { users, sessions, log } = deps;
  const isChanged = email === user.email; // by another copy of this request
  const takesTwo = !isChanged && !isRecent(deps, { session });
  const currentCode = takesTwo ? submitted.currentCode : undefined;
  if (takesTwo && currentCode === undefined) {
    throw new InstantError(authErrors.currentCodeRequired);
  }
  const owner = await users.findByEmail(email);
  const taken = owner !== undefined && owner.id !== user.id;
  const codes = { user, session, email, code: submitted.code, currentCode };
  const checked = await checkEmailCodes(context, deps, codes, !taken);
  if (taken) throw conflict(authErrors.emailTaken, "email", "belongs to another account");
  if (isChanged) return user;
  await deps.codes.forgetDevices({ email: user.email }); // it may get another owner
  await sessions.revokeAll({ userId: user.id, except: session.id });
  const undo = createUndo(deps);
  const change = { from: user.email, to: email };
  const request = { id: user.id, from: user.email, email, undo: undo?.name };
  const outcome = await users.setEmail(request);
  switch (outcome.kind) {
    case "changed": {
      const locale = mailLocale(context, deps);
      const { messageId, repeated } = checked;
      if (!repeated) noticeEmailChange(deps, { ...change, messageId, locale, undo });
      keepDevice(context, deps, { email, id: session.id, formerEmail: user.email });
      for (const carryOver of deps.onEmailChanged) await carryOver(change);
      const fields = { userId: user.id, messageID: messageId };
      log.info({ ...fields, requestId: context.get("requestId") }, "Address changed");
      return outcome.user;
    }
    case "taken":
      throw conflict(authErrors.emailTaken, "email", "belongs to another account");
    case "gone":
      throw new InstantError(authErrors.unauthenticated);
    default:
      return unreachable(outcome);
  }
}

interface EmailCodes extends Pick<SignedIn, "user" | "session"> {
  readonly email: string;
  readonly code: string;
  readonly currentCode: string | undefined;
}

/**
 * Checks the codes, and uses up both of them or none: a mistake in one must not cost the other.
 * The same codes of the same session are the same attempt; its device is known at the new address
 * from then on. Throws the problem to answer with.
 */
async function checkEmailCodes(
  context: HttpContext,
  deps: AuthDeps,
  { user, session, email, code, currentCode }: EmailCodes,
  consume: boolean,
) {
  const check = async (
    purpose: "change_email" | "leave_email",
    sent: { readonly email: string; readonly code: string; readonly consume: boolean },
  ) => {
    const { secret } = deps.keys.current;
    const attempt = hmacText(secret, "base64url", "attempt", purpose, session.id, sent.code);
    const client = context.get("client");
    const device = deviceOf(context, deps, sent.email);
    const remember = purpose === "change_email" ? { remember: session.id } : {};
    const checked = await checkCode(deps, {
      ...sent,
      purpose,
      client,
      device,
      attempt,
      ...remember,
    });
    if (checked.kind === "verified") return checked;
    const { confirmationInvalid, currentCodeInvalid } = authErrors;
    const wrong = purpose === "change_email" ? confirmationInvalid : currentCodeInvalid;
    throw refusedCode(checked, wrong);
  };
  if (currentCode !== undefined) {
    await check("change_email", { email, code, consume: false });
    await check("leave_email", { email: user.email, code: currentCode, consume });
  }
  return check("change_email", { email, code, consume });
}

// Undoing a change, by the link in the notice to the old address.

export const undoPath = "/account/email/undo";
const undoPurpose = "undo_email_change";

/**
 * A link that undoes a change, and the name that the change is stored by; undefined where the notice
 * cannot have it. The name is in the store and the signature is not, so reading the store is not
 * enough to make a link.
 */
function createUndo(deps: AuthDeps) {
  if (!deps.emailChangeNotices) return undefined;
  const name = randomToken(16);
  const now = deps.clock.now();
  const signing = { purpose: undoPurpose, parts: [name], signedAt: now };
  const link = mailLink(deps, `${undoPath}/${signText(deps.keys.current.secret, signing)}`);
  return link === undefined ? undefined : { name, link, until: now + emailUndoMs };
}

export interface FoundUndo extends EmailChange {
  readonly name: string;
}

/** The change that a link undoes. Throws `undo_invalid` for one that undoes nothing (any more). */
export async function findUndo(
  { users, keys, clock }: Pick<AuthDeps, "users" | "keys" | "clock">,
  token: string,
): Promise<FoundUndo> {
  const secrets = keys.all.map(({ secret }) => secret);
  const verification = { purpose: undoPurpose, keys: secrets, lifeMs: emailUndoMs };
  const verified = verifyText(token, { ...verification, now: clock.now() });
  const name = verified.kind === "valid" ? verified.parts[0] : undefined;
  const change = name === undefined ? undefined : await users.findEmailChange(name);
  if (name === undefined || change === undefined) throw new InstantError(authErrors.undoInvalid);
  return { ...change, name };
}

const undoBody = z.object({
  token: z.string().max(200).meta({ description: "The last part of the link's path." }),
});

export const undoEmailRoute: AuthRoute = {
  id: "undoEmailChange",
  method: "post",
  path: "/auth/undo-email-change",
  group,
  summary: "Undo a change of address, with the link that was sent to the old one",
  description:
    "The account has the old address again, whatever it was changed to since, and all its sessions end. A link is good for 72 hours and for one use; using it also ends the links of all later changes.",
  access: "anyone",
  body: {
    schema: undoBody,
    required: true,
    example: { token: "cGVyaGFwcyBhIG5hbWU.t6xk0g.3q2-7wEjRWeJq83v_tyru" },
  },
  answer: { status: 204, description: "Undone." },
  problems: [authErrors.emailTaken, authErrors.undoInvalid],
  handle: async (context, deps) => {
    const { token } = await readJson(context, undoBody);
    await undoEmailChange(context, deps, token);
    return context.body(null, 204);
  },
};

/**
 * Sets the address before a change, and ends all sessions: nobody knows which of them was stolen. It
 * ends them before, so that an unavailable store leaves the link good, and after, for whoever signed
 * in with the other address meanwhile. Throws the problem to answer with.
 */
export async function undoEmailChange(
  context: HttpContext,
  deps: AuthDeps,
  token: string,
): Promise<void> {
  const { users, sessions, log } = deps;
  const { name, userId, email } = await findUndo(deps, token);
  const before = await users.findById(userId);
  await sessions.revokeAll({ userId });
  const outcome = await users.undoEmailChange({ id: userId, undo: name });
  switch (outcome.kind) {
    case "changed":
      await sessions.revokeAll({ userId });
      if (before !== undefined) await deps.codes.forgetDevices({ email: before.email });
      log.info({ userId, requestId: context.get("requestId") }, "Change of address undone");
      if (before !== undefined && before.email !== email) {
        const change = { from: before.email, to: email };
        const notice = { messageId: crypto.randomUUID(), locale: mailLocale(context, deps) };
        noticeEmailChange(deps, { ...change, ...notice, undo: undefined });
        for (const carryOver of deps.onEmailChanged) await carryOver(change);
      }
      return;
    case "taken":
      throw conflict(authErrors.emailTaken, "email", "belongs to another account");
    case "gone":
      throw new InstantError(authErrors.undoInvalid);
    default:
      return unreachable(outcome);
  }
}
