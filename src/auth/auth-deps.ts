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

/** What the use cases of sign-in work with; compose puts it together. */
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
  /** Where requests come from, and whose pages may send them. */
  readonly boundary: HttpBoundary;
  /** Whether browsers send our cookies over https alone: in production. */
  readonly secureCookies: boolean;
  /** What mails can be written in: tags as in BCP 47, in lower case. */
  readonly mailLanguages: readonly string[];
  /** Whether a new user gets a welcome mail. */
  readonly welcomes: boolean;
  /** Whether a sign-in on a new device is reported by mail. */
  readonly signInNotices: boolean;
  /** Whether a change of address is reported to the old one. */
  readonly emailChangeNotices: boolean;
  /** Each carries over what is kept elsewhere under an address; none may throw. */
  readonly onEmailChanged: readonly ((change: EmailChange) => Promise<void>)[];
  /** Each forgets what is kept elsewhere of a user, and may be called again. */
  readonly onUserDeleted: readonly ((user: User) => Promise<void>)[];
}

interface EmailChange {
  readonly from: string;
  readonly to: string;
}

/** A call of the API: how its document describes it, and what it does. */
export interface AuthRoute extends Operation {
  handle(context: HttpContext, deps: AuthDeps): Response | Promise<Response>;
}
