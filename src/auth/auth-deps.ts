// What the use cases of sign-in need, and the keys that codes are derived from.
import type { HttpBoundary } from "../core/http/app.ts";
import type { HttpContext } from "../core/http/problem.ts";
import type { Language } from "../core/languages.ts";
import type { Log } from "../core/log.ts";
import type { Operation } from "../core/openapi/create-document.ts";
import { hmacText, sha256Hex } from "../core/secret.ts";
import type { Clock } from "../core/time.ts";
import type { EmailPublisher } from "../email/delivery/publisher.ts";
import type { CodeStore } from "./codes/code-store.ts";
import type { LimitPolicy, Limits } from "./limits/limits.ts";
import type { SessionStore } from "./sessions/session-store.ts";
import type { User, UserStore } from "./users/user-store.ts";

/** AUTH_SECRET with the short id that stored codes carry. */
interface AuthKey {
  readonly id: string;
  readonly secret: string;
}

/** The key of new codes, and all keys whose codes are still valid. */
export interface AuthKeys {
  readonly current: AuthKey;
  readonly all: readonly AuthKey[];
}

/** `previous`: AUTH_SECRET_PREVIOUS, for as long as codes derived from it live. */
export function createAuthKeys(secret: string, previous: string | undefined): AuthKeys {
  const current = createKey(secret);
  const all = previous === undefined || previous === secret ? [] : [createKey(previous)];
  return { current, all: [current, ...all] };
}

function createKey(secret: string): AuthKey {
  return { id: hmacText(secret, "hex", "key-id").slice(0, 8), secret };
}

/**
 * The name of an address in the stores' keys, which must not reveal it. Not keyed with AUTH_SECRET:
 * live codes and counted attempts must outlive a change of the secret.
 */
export function subjectOf(email: string): string {
  return sha256Hex(`instant-subject:${email}`);
}

/** The dependencies of the sign-in use cases; `compose` assembles them. */
export interface AuthDeps {
  readonly codes: CodeStore;
  readonly limits: Limits;
  readonly sessions: SessionStore;
  readonly users: UserStore;
  readonly publisher: EmailPublisher;
  readonly clock: Clock;
  readonly log: Log;
  readonly keys: AuthKeys;
  readonly limitPolicy: LimitPolicy;
  /** Usernames that nobody may choose, besides the built-in ones. */
  readonly reservedUsernames: readonly string[];
  /** Which proxies and origins requests are trusted from. */
  readonly boundary: HttpBoundary;
  /** The origin of links in mails; that of PUBLIC_URL when left out. */
  readonly linkOrigin?: string | undefined;
  /** The name of the session's cookie, without a prefix. */
  readonly cookieName: string;
  /** Whether cookies are `Secure` (https only): in production. */
  readonly secureCookies: boolean;
  /** Whether nobody signs in with an address at localhost: in production. */
  readonly refusesLocalhost: boolean;
  /** The languages of mails: BCP 47 tags in lower case. */
  readonly mailLanguages: readonly string[];
  /** The language of pages and mails for people who name none of ours: EMAIL_LOCALE. */
  readonly fallbackLanguage: Language;
  /** Whether a new user gets a welcome mail. */
  readonly welcomes: boolean;
  /** Whether a sign-in on a new device is reported by mail. */
  readonly signInNotices: boolean;
  /** Whether a change of address is reported to the old one. */
  readonly emailChangeNotices: boolean;
  /** Each moves what other modules store under an address; none may throw. */
  readonly onEmailChanged: readonly ((change: AddressChange) => Promise<void>)[];
  /** Each deletes what other modules store about a user; idempotent. */
  readonly onUserDeleted: readonly ((user: User) => Promise<void>)[];
}

export interface AddressChange {
  readonly from: string;
  readonly to: string;
}

/** An API call: its OpenAPI description and its handler. */
export interface AuthRoute extends Operation {
  handle(context: HttpContext, deps: AuthDeps): Response | Promise<Response>;
}
