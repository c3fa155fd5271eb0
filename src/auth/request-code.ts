import { z } from "zod";
import { isAtLocalhost } from "../core/email-address.ts";
import { InstantError, unreachable } from "../core/errors.ts";
import { parseFields, readAnyJson } from "../core/http/body.ts";
import { jsonResponse } from "../core/http/headers.ts";
import { acceptedLocale } from "../core/http/page-language.ts";
import type { HttpContext } from "../core/http/problem.ts";
import { httpErrors } from "../core/http/problem.ts";
import { currentTraceContext, logText } from "../core/log.ts";
import { formatGoDuration, settlesWithin } from "../core/time.ts";
import { answerMsMax } from "../email/delivery/publisher.ts";
import type { EmailEvent } from "../email/event.ts";
import type { AuthDeps, AuthKeys, AuthRoute } from "./auth-deps.ts";
import type {
  CodePolicy,
  CodeScope,
  IssuedCode,
  IssueOutcome,
  PreparedCodes,
} from "./codes/code-store.ts";
import { deriveCode, deriveVerifier } from "./codes/code-store.ts";
import { deviceOf } from "./known-devices.ts";
import { limitedCode, limitedDeviceCode, mailboxLimits } from "./limits/limits.ts";
import type { ExhaustedLimit } from "./rate-limited.ts";
import { codesScopeOf, exhaustedLimit, giveBack, rateLimitedError } from "./rate-limited.ts";
import { authErrors, emailSchema, findPlainEmail } from "./schemas.ts";

// Sending a code by mail, to sign in; also to change an address (email-change.ts) and to delete an
// account (account-routes.ts).

export const requestCodeBody = z.object({ email: emailSchema });

/** The answer of every call that sends a code. */
export const codeSentAnswer = {
  status: 200,
  description: "A mail is on its way.",
  schema: z
    .object({ message: z.string().meta({ examples: ["verification code sent to your email"] }) })
    .meta({ id: "Message" }),
} as const;
export const codeSentResponse = { message: "verification code sent to your email" };

/** The problems of every call that sends a code. */
export const sendCodeProblems = [
  authErrors.addressUnsupported,
  authErrors.tooManyCodes,
  authErrors.tooManyRequests,
  authErrors.mailUnavailable,
] as const;

export const requestCodeRoute: AuthRoute = {
  id: "requestCode",
  method: "post",
  path: "/auth/request-code",
  group: "Sign-in",
  summary: "Send a sign-in code to an address",
  description:
    "Known and unknown addresses get the same answer, and so does one that is locked after wrong codes: its mail is sent, but no code is accepted until the lock ends. Asking again within a minute sends the same code once more, as the same mail. The mail is in the language of Accept-Language, if there are templates for it.",
  access: "anyone",
  body: { schema: requestCodeBody, required: true, example: { email: "ana@example.com" } },
  answer: codeSentAnswer,
  problems: sendCodeProblems,
  handle: async (context, deps) => {
    const body = await readAnyJson(context);
    const email = findPlainEmail(body) ?? parseFields(requestCodeBody, body).email;
    await sendCode(context, deps, { email, purpose: "sign_in" });
    return jsonResponse(codeSentResponse);
  },
};

/**
 * Sends a code for this request: its client is rate-limited, its language is that of the mail.
 * Throws the problem to answer with.
 */
export async function sendCode(
  context: HttpContext,
  deps: AuthDeps,
  scope: CodeScope,
): Promise<void> {
  if (deps.refusesLocalhost && isAtLocalhost(scope.email)) {
    const errors = [{ field: "email", message: "must not be at localhost" }];
    throw new InstantError(httpErrors.validationFailed, { details: { errors } });
  }
  const client = context.get("client");
  const locale = mailLocale(context, deps);
  const device = deviceOf(context, deps, scope.email);
  const outcome = await requestCode(deps, { ...scope, client, locale, device });
  switch (outcome.kind) {
    case "sent": {
      const fields = `"messageID":"${outcome.messageId}","requestId":"${context.get("requestId")}"`;
      logText(deps.log, fields, "Verification code requested", currentTraceContext());
      return;
    }
    case "rate_limited":
      throw rateLimitedError(outcome.limit, authErrors.tooManyCodes);
    case "unavailable": {
      const { retryAfterSeconds } = outcome;
      throw new InstantError(authErrors.mailUnavailable, { details: { retryAfterSeconds } });
    }
    case "unsupported_address": {
      const errors = [{ field: "email", message: "must have only ASCII characters before the @" }];
      throw new InstantError(authErrors.addressUnsupported, { details: { errors } });
    }
    default:
      return unreachable(outcome);
  }
}

type RequestCodeDeps = Pick<
  AuthDeps,
  "codes" | "limits" | "limitPolicy" | "publisher" | "keys" | "clock"
>;

interface RequestedCode extends CodeScope {
  /** The client that requests it, as rate limits count it. */
  readonly client: string;
  /** The language of the mail; stored with the code, so that a repeat has the same. */
  readonly locale: string | undefined;
  /** The device that requests it, if it has the cookie of a known one. */
  readonly device?: string | undefined;
}

type RequestCodeOutcome =
  | { readonly kind: "sent"; readonly messageId: string }
  | { readonly kind: "rate_limited"; readonly limit: ExhaustedLimit }
  | { readonly kind: "unavailable"; readonly retryAfterSeconds: number }
  | { readonly kind: "unsupported_address" };

/**
 * Sends a code to an address: a new one, or within the repeat window the same event byte for byte,
 * so that the worker skips it as a duplicate. A message that failed, or whose secret was removed,
 * is not repeated. Users are not looked up, so known and unknown addresses are indistinguishable; nor
 * are mailboxes: a refused mail is answered and costs like any other. What nobody took is refunded;
 * but where a mail server was asked it still costs the client, or anyone could keep it busy. A known
 * device takes from its own budgets alone; one that has been forgotten, or when all of them together
 * ask too much, is any client.
 */
export async function requestCode(
  deps: RequestCodeDeps,
  request: RequestedCode,
): Promise<RequestCodeOutcome> {
  const { limits, codes, clock, limitPolicy } = deps;
  const { email, purpose, locale, device } = request;
  const endsAt = clock.now() + answerMsMax;
  const scope = { email, purpose };
  const isKnown = device !== undefined;
  const use = isKnown ? limitedDeviceCode(limitPolicy) : limitedCode(limitPolicy, request);
  const prepared = codes.prepare(email);
  const taken = await limits.take(use);
  if (taken.kind === "rate_limited") {
    if (isKnown) return requestCode(deps, { ...request, device: undefined });
    return { kind: "rate_limited", limit: exhaustedLimit(taken) };
  }
  let issued = await issue(deps, prepared, { scope, locale, device });
  if (issued.kind === "repeated" && !(await isRepeatable(deps, issued.code))) {
    const supersedes = issued.code.messageId;
    await codes.refund({ ...scope, messageId: supersedes });
    issued = await issue(deps, prepared, { scope, locale, device, supersedes });
  }
  if (issued.kind === "unknown_device") {
    await giveBack(limits, use);
    return requestCode(deps, { ...request, device: undefined });
  }
  if (issued.kind === "rate_limited") {
    await giveBack(limits, use);
    return { kind: "rate_limited", limit: exhaustedCodesLimit(issued, codes.policy, device) };
  }
  // The mailbox gets the same mail, which was counted; the client has made another request.
  const isSameMail = !isKnown && issued.kind === "repeated" && !issued.charged;
  const uncounted = isSameMail
    ? giveBack(limits, { ...use, limits: mailboxLimits(use) })
    : undefined;
  const { messageId } = issued.code;
  const event = createEvent(deps.keys, scope, issued.code);
  const published = await deps.publisher.publish(event, { answerBy: endsAt - giveBackMs });
  if (published.kind !== "unavailable" && published.kind !== "unsupported_address") {
    if (uncounted !== undefined) await settlesWithin(clock, endsAt - clock.now(), uncounted);
    return { kind: "sent", messageId };
  }
  // A client that made us ask the server pays for that, though the mailbox got no mail.
  const wasAsked = published.kind === "unavailable" && published.wasAsked === true;
  const unused = wasAsked ? { ...use, limits: mailboxLimits(use) } : use;
  const givenBack = Promise.all([codes.refund({ ...scope, messageId }), limits.giveBack(unused)]);
  if (await settlesWithin(clock, endsAt - clock.now(), givenBack)) await givenBack; // may throw
  return published;
}

/** How long the response waits for a refund, which then continues in the background. */
const giveBackMs = 500;

function exhaustedCodesLimit(
  { limit, retryAfterMs }: Extract<IssueOutcome, { kind: "rate_limited" }>,
  policy: CodePolicy,
  device: string | undefined,
): ExhaustedLimit {
  const scope = codesScopeOf(limit, device);
  return limit === "codes"
    ? { scope, quota: policy.codesMax, windowMs: policy.codesWindowMs, retryAfterMs }
    : { scope, quota: policy.repeatsMax, windowMs: policy.repeatWindowMs, retryAfterMs };
}

interface NewCode {
  readonly scope: CodeScope;
  readonly locale: string | undefined;
  readonly device: string | undefined;
  readonly supersedes?: string;
}

function issue(
  { codes, keys }: RequestCodeDeps,
  prepared: PreparedCodes,
  { scope, locale, device, supersedes }: NewCode,
): Promise<IssueOutcome> {
  const { id: keyId, secret } = keys.current;
  const messageId = crypto.randomUUID();
  const verifier = () => deriveVerifier(secret, scope, deriveCode(secret, scope, messageId));
  const data = JSON.stringify({
    expires_in: formatGoDuration(codes.policy.lifetimeMs),
    purpose: scope.purpose,
    locale,
  });
  const request = { ...scope, messageId, keyId, verifier, data, device };
  return prepared.issue(supersedes === undefined ? request : { ...request, supersedes });
}

async function isRepeatable({ keys, publisher }: RequestCodeDeps, code: IssuedCode) {
  if (!keys.all.some(({ id }) => id === code.keyId)) return false;
  return (await publisher.status(code.messageId)) !== "failed";
}

/** Always the same event for the same stored code: the ledger treats a difference as a conflict. */
function createEvent(keys: AuthKeys, scope: CodeScope, code: IssuedCode): EmailEvent {
  const key = keys.all.find(({ id }) => id === code.keyId) ?? keys.current;
  const { expires_in, purpose, locale } = JSON.parse(code.data) as {
    expires_in: string;
    purpose: CodeScope["purpose"];
    locale?: string;
  };
  return {
    messageId: code.messageId,
    eventType: "verification_code",
    timestamp: code.timestamp,
    recipient: scope.email,
    data: { code: deriveCode(key.secret, scope, code.messageId), expires_in, purpose, locale },
    expiresAt: code.expiresAt,
  };
}

/**
 * The language of mails to the sender of this request: the one chosen on our pages, else what the
 * client accepts, spelled as it spells it. Undefined when none is ours: EMAIL_LOCALE.
 */
export function mailLocale(
  context: HttpContext,
  { mailLanguages }: Pick<AuthDeps, "mailLanguages">,
): string | undefined {
  return context.get("chosenLanguage") ?? acceptedLocale(context, mailLanguages);
}
