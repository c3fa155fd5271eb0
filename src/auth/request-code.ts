import { accepts } from "hono/accepts";
import type { HttpContext } from "../core/http/environment.ts";
import type { Clock } from "../core/time.ts";
import { formatGoDuration } from "../core/time.ts";
import type { EmailPublisher } from "../email/delivery/publisher.ts";
import { answerMsMax } from "../email/delivery/publisher.ts";
import type { EmailEvent } from "../email/event.ts";
import type { CodePolicy, CodeScope } from "./codes/code.ts";
import { deriveCode, deriveVerifier } from "./codes/code.ts";
import type { CodeStore, IssuedCode, IssueOutcome, PreparedCodes } from "./codes/code-store.ts";
import type { AuthKeys } from "./keys.ts";
import type { LimitPolicy, Limits } from "./limits/limits.ts";
import { codeLimits } from "./limits/limits.ts";
import type { ExhaustedLimit } from "./rate-limited.ts";

export interface RequestCodeDeps {
  readonly codes: CodeStore;
  readonly limits: Limits;
  readonly limitPolicy: LimitPolicy;
  readonly publisher: EmailPublisher;
  readonly keys: AuthKeys;
  readonly clock: Clock;
}

interface RequestedCode extends CodeScope {
  /** Who asks, as it is counted. */
  readonly client: string;
  /** The language of the mail; kept with the code, so that asking again changes nothing. */
  readonly locale: string | undefined;
}

export type RequestCodeOutcome =
  | { readonly kind: "sent"; readonly messageId: string }
  | { readonly kind: "rate_limited"; readonly limit: ExhaustedLimit }
  | { readonly kind: "unavailable"; readonly retryAfterSeconds: number }
  | { readonly kind: "unsupported_address" };

/**
 * Sends a code to an address: a new one, or within the repeat window the same event, byte for byte,
 * so that the second mail is a duplicate. A message that failed, or whose secret is gone, is not
 * repeated. When nobody takes the mail, what it cost is given back. The users are not asked, so
 * known and unknown addresses cannot be told apart.
 */
export async function requestCode(
  deps: RequestCodeDeps,
  { client, email, purpose, locale }: RequestedCode,
): Promise<RequestCodeOutcome> {
  const { limits, codes, clock } = deps;
  const endsAt = clock.now() + answerMsMax;
  const scope = { email, purpose };
  const use = { use: crypto.randomUUID(), limits: codeLimits(deps.limitPolicy, client) };
  const prepared = codes.prepare(email);
  const taken = await limits.take(use);
  if (taken.kind === "rate_limited") {
    return { kind: "rate_limited", limit: { ...taken.limit, retryAfterMs: taken.retryAfterMs } };
  }
  let issued = await issue(deps, prepared, { scope, locale });
  if (issued.kind === "repeated" && !(await isRepeatable(deps, issued.code))) {
    const supersedes = issued.code.messageId;
    issued = await issue(deps, prepared, { scope, locale, supersedes });
  }
  if (issued.kind === "rate_limited")
    return { kind: "rate_limited", limit: exhaustedCodesLimit(issued, codes.policy) };
  const { messageId } = issued.code;
  const event = createEvent(deps.keys, scope, issued.code);
  const published = await deps.publisher.publish(event, { answerBy: endsAt - giveBackMs });
  if (published.kind === "queued" || published.kind === "delivered") {
    return { kind: "sent", messageId };
  }
  const givenBack = Promise.all([codes.refund({ ...scope, messageId }), limits.giveBack(use)]);
  await within(clock, endsAt - clock.now(), givenBack);
  return published;
}

/** Of the time for the answer: what giving back may take before it goes on behind the answer. */
const giveBackMs = 500;

async function within(clock: Clock, durationMs: number, work: Promise<unknown>): Promise<void> {
  const done = new AbortController();
  work.catch(() => {}); // once the answer is out, nobody can be told
  const ended = work.finally(() => done.abort());
  ended.catch(() => {});
  await Promise.race([ended, clock.sleep(Math.max(0, durationMs), done.signal)]);
}

function exhaustedCodesLimit(
  { limit, retryAfterMs }: Extract<IssueOutcome, { kind: "rate_limited" }>,
  policy: CodePolicy,
): ExhaustedLimit {
  return limit === "codes"
    ? {
        scope: "codes-per-email",
        quota: policy.codesMax,
        windowMs: policy.codesWindowMs,
        retryAfterMs,
      }
    : {
        scope: "repeats-per-code",
        quota: policy.repeatsMax,
        windowMs: policy.repeatWindowMs,
        retryAfterMs,
      };
}

interface NewCode {
  readonly scope: CodeScope;
  readonly locale: string | undefined;
  readonly supersedes?: string;
}

function issue(
  { codes, keys }: RequestCodeDeps,
  prepared: PreparedCodes,
  { scope, locale, supersedes }: NewCode,
): Promise<IssueOutcome> {
  const { id: keyId, secret } = keys.current;
  const messageId = crypto.randomUUID();
  const verifier = () => deriveVerifier(secret, scope, deriveCode(secret, scope, messageId));
  const data = JSON.stringify({
    expires_in: formatGoDuration(codes.policy.lifetimeMs),
    purpose: scope.purpose,
    locale,
  });
  const request = { ...scope, messageId, keyId, verifier, data };
  return prepared.issue(supersedes === undefined ? request : { ...request, supersedes });
}

async function isRepeatable({ keys, publisher }: RequestCodeDeps, code: IssuedCode) {
  if (!keys.all.some(({ id }) => id === code.keyId)) return false;
  return (await publisher.status(code.messageId)) !== "failed";
}

/** The same event for the same stored code, always: the ledger takes a difference for a conflict. */
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

const tagCharsMax = 35;
const tag = /^[A-Za-z]{2,8}(?:-[A-Za-z0-9]{1,8})*$/;

/**
 * The language of `Accept-Language` that is wanted most among those of `languages` (in lower case),
 * as the client writes it: for "de, es-MX;q=0.8, en;q=0.5" and en, es it is "es-MX". A language is
 * known by its tag or by any shorter form of it (RFC 4647, 3.4). Undefined when none fits.
 */
function preferredLanguage(context: HttpContext, languages: readonly string[]): string | undefined {
  const found = accepts(context, {
    header: "Accept-Language",
    supports: [...languages],
    default: "",
    match: (wanted) => {
      const ranked = wanted.filter(({ q }) => q > 0).toSorted((a, b) => b.q - a.q);
      return ranked.find(({ type }) => isSpoken(type, languages))?.type ?? "";
    },
  });
  return found === "" ? undefined : found;
}

function isSpoken(wanted: string, languages: readonly string[]): boolean {
  if (wanted.length > tagCharsMax || !tag.test(wanted)) return false;
  const parts = wanted.toLowerCase().split("-");
  return parts.some((_part, dropped) => {
    return languages.includes(parts.slice(0, parts.length - dropped).join("-"));
  });
}

export interface MailLocaleDeps {
  /** What mails can be written in: tags as in BCP 47, in lower case. */
  readonly mailLanguages: readonly string[];
}

/** The language in which to write to who asks; undefined: EMAIL_LOCALE. */
export function mailLocale(context: HttpContext, deps: MailLocaleDeps): string | undefined {
  return preferredLanguage(context, deps.mailLanguages);
}
