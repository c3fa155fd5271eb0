import type { HttpContext } from "../core/http/environment.ts";
import type { HttpBoundary } from "../core/http/server.ts";
import type { Log } from "../core/log.ts";
import type { Operation } from "../core/openapi/operation.ts";
import type { Clock } from "../core/time.ts";
import type { EmailPublisher } from "../email/delivery/publisher.ts";
import type { CodeStore } from "./codes/code-store.ts";
import type { AuthKeys } from "./keys.ts";
import type { LimitPolicy, Limits } from "./limits/limits.ts";
import type { SessionStore } from "./sessions/session-store.ts";
import type { User, UserStore } from "./users/user-store.ts";

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
  /** Which proxies and origins requests are trusted from. */
  readonly boundary: HttpBoundary;
  /** Whether cookies are `Secure` (https only): in production. */
  readonly secureCookies: boolean;
  /** The languages of mails: BCP 47 tags in lower case. */
  readonly mailLanguages: readonly string[];
  /** Whether a new user gets a welcome mail. */
  readonly welcomes: boolean;
  /** Whether a sign-in on a new device is reported by mail. */
  readonly signInNotices: boolean;
  /** Whether a change of address is reported to the old one. */
  readonly emailChangeNotices: boolean;
  /** Each moves what other modules store under an address; none may throw. */
  readonly onEmailChanged: readonly ((change: EmailChange) => Promise<void>)[];
  /** Each deletes what other modules store about a user; idempotent. */
  readonly onUserDeleted: readonly ((user: User) => Promise<void>)[];
}

interface EmailChange {
  readonly from: string;
  readonly to: string;
}

/** An API call: its OpenAPI description and its handler. */
export interface AuthRoute extends Operation {
  handle(context: HttpContext, deps: AuthDeps): Response | Promise<Response>;
}
