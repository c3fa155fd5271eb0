// Changing the address of a user, confirmed by a code that is sent to the new one.
import { z } from "zod";
import { InstantError, unreachable } from "../core/errors.ts";
import { readJson } from "../core/http/body.ts";
import type { HttpContext } from "../core/http/problem.ts";
import type { AuthDeps, AuthRoute } from "./auth-deps.ts";
import { noticeEmailChange } from "./notices.ts";
import {
  codeSentAnswer,
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
import { getSignedIn } from "./session-routes.ts";
import type { User } from "./users/user-store.ts";
import type { CheckCodeOutcome } from "./verify-code.ts";
import { checkCode, refusedCode } from "./verify-code.ts";

const group = "Account";

export const requestEmailRoute: AuthRoute = {
  id: "requestEmailCode",
  method: "post",
  path: "/users/me/email",
  group,
  summary: "Send a code to a new address",
  description:
    "Whether the address belongs to another account is not revealed here, only with the code.",
  access: "session",
  body: { schema: requestCodeBody, required: true, example: { email: "ana@example.org" } },
  answer: codeSentAnswer,
  problems: [authErrors.emailUnchanged, ...sendCodeProblems],
  handle: async (context, deps) => {
    const { user } = await getSignedIn(context, deps);
    const { email } = await readJson(context, requestCodeBody);
    await sendEmailCode(context, deps, { user, email });
    return context.json(codeSentResponse);
  },
};

export const verifyEmailBody = z.object({ email: emailSchema, code: codeSchema });

export const verifyEmailRoute: AuthRoute = {
  id: "changeEmail",
  method: "post",
  path: "/users/me/email/verify",
  group,
  summary: "Change the address, with the code sent to the new one",
  access: "session",
  body: {
    schema: verifyEmailBody,
    required: true,
    example: { email: "ana@example.org", code: "123456" },
  },
  answer: { status: 200, description: "Changed.", schema: userAnswer },
  problems: [
    authErrors.emailTaken,
    authErrors.confirmationInvalid,
    authErrors.tooManyAttempts,
    authErrors.tooManyRequests,
  ],
  handle: async (context, deps) => {
    const { user } = await getSignedIn(context, deps);
    const { email, code } = await readJson(context, verifyEmailBody);
    const changed = await confirmEmail(context, deps, { user, email, code });
    return context.json(userResponse(changed));
  },
};

interface NewEmail {
  readonly user: User;
  /** The new address, in canonical form. */
  readonly email: string;
}

/** Sends the code to the new address. Throws the problem to answer with. */
export async function sendEmailCode(
  context: HttpContext,
  deps: AuthDeps,
  { user, email }: NewEmail,
): Promise<void> {
  if (email === user.email) {
    throw conflict(authErrors.emailUnchanged, "email", "is your address already");
  }
  await sendCode(context, deps, { email, purpose: "change_email" });
}

interface ConfirmedEmail extends NewEmail {
  /** The code that was sent to it. */
  readonly code: string;
}

/** Sets the new address, confirmed by its code. Throws the problem to answer with. */
export async function confirmEmail(
  context: HttpContext,
  deps: AuthDeps,
  confirmed: ConfirmedEmail,
): Promise<User> {
  const client = context.get("client");
  const locale = mailLocale(context, deps);
  const outcome = await changeEmail(deps, { ...confirmed, client, locale });
  switch (outcome.kind) {
    case "changed": {
      const fields = { userId: confirmed.user.id, messageID: outcome.messageId };
      deps.log.info({ ...fields, requestId: context.get("requestId") }, "Address changed");
      return outcome.user;
    }
    case "wrong":
    case "rate_limited":
      throw refusedCode(outcome, authErrors.confirmationInvalid);
    case "taken":
      throw conflict(authErrors.emailTaken, "email", "belongs to another account");
    case "gone":
      throw new InstantError(authErrors.unauthenticated);
    default:
      return unreachable(outcome);
  }
}

interface EmailChange extends ConfirmedEmail {
  readonly client: string;
  /** The language of the notice to the old address. */
  readonly locale: string | undefined;
}

type ChangeEmailOutcome =
  | { readonly kind: "changed"; readonly user: User; readonly messageId: string }
  | Exclude<CheckCodeOutcome, { kind: "verified" }>
  /** The code was right and is still good. */
  | { readonly kind: "taken" }
  /** The user was deleted in the meantime. */
  | { readonly kind: "gone" };

/**
 * Whether the address belongs to another user is revealed only with the right code, that is to its
 * owner; requesting the code reveals nothing.
 */
async function changeEmail(
  deps: AuthDeps,
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
      for (const carryOver of deps.onEmailChanged) await carryOver(change);
      return { ...outcome, messageId };
    }
    case "taken":
    case "gone":
      return outcome;
    default:
      return unreachable(outcome);
  }
}
