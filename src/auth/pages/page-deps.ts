import type { Clock } from "../../core/clock.ts";
import type { AuthKeys } from "../auth-keys.ts";
import type { CodePolicy } from "../codes/code-policy.ts";
import type { CookieSettings } from "../session-credential.ts";

/** What all pages need, whichever it is. */
export interface PageDeps extends CookieSettings {
  readonly appName: string;
  readonly clock: Clock;
  /** Sign what a browser keeps between two pages. */
  readonly keys: AuthKeys;
  readonly codePolicy: CodePolicy;
  /** PUBLIC_URL's, whose forms are ours too. */
  readonly publicOrigin: string | undefined;
  /** The page on which whoever has this address chooses which mails come; undefined: there is none. */
  readonly preferencesPath: ((email: string) => string) | undefined;
  /** Where mails can be read on a developer's machine; undefined where they are sent. */
  readonly inboxUrl: () => string | undefined;
}
