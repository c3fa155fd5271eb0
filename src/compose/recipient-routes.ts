import type { Hono } from "hono";
import { getSignedIn } from "../auth/current-session.ts";
import type { User } from "../auth/users/user-store.ts";
import { systemClock } from "../core/clock.ts";
import { errorMessage, isInstantError } from "../core/errors.ts";
import type { HttpEnvironment } from "../core/http/environment.ts";
import type { Log } from "../core/log.ts";
import type { Operation } from "../core/openapi/operation.ts";
import { addBounceRoutes } from "../email/bounces/bounce-routes.ts";
import { resolveBounces } from "../email/bounces/config.ts";
import { bounceOperations } from "../email/bounces/operations.ts";
import { preferenceOperations } from "../email/preferences/operations.ts";
import { addPreferenceRoutes } from "../email/preferences/preference-routes.ts";
import { getPreferences } from "../email/preferences/preference-store.ts";
import { createPreferencesPath } from "../email/preferences/unsubscribe-link.ts";
import { addUnsubscribeRoutes } from "../email/preferences/unsubscribe-routes.ts";
import { recipientKey } from "../email/recipient-key.ts";
import type { AuthStores } from "./auth-stores.ts";
import type { Config } from "./config.ts";
import type { RecipientStores } from "./recipient-stores.ts";
import { emailSecret } from "./secrets.ts";

export interface RecipientRouteParts {
  readonly config: Config;
  readonly log: Log;
  readonly authStores: AuthStores;
  readonly recipients: RecipientStores;
}

/** What `addRecipientRoutes` adds to the described API. */
export function recipientOperations({ bounces }: Config): readonly Operation[] {
  const reportable = resolveBounces(bounces) !== undefined;
  return [...preferenceOperations, ...(reportable ? bounceOperations : [])];
}

/** What the e-mail rooms add to serve-auth, because that is where people come. */
export function addRecipientRoutes(app: Hono<HttpEnvironment>, parts: RecipientRouteParts): void {
  const { config, log, authStores, recipients } = parts;
  const { preferences, suppressions } = recipients;
  addPreferenceRoutes(app, {
    preferences,
    currentUser: async (context) => (await getSignedIn(context, authStores)).user,
  });
  addUnsubscribeRoutes(app, {
    preferences,
    secrets: { current: emailSecret(config), previous: config.email.secretPrevious },
    appName: config.app.name,
    clock: systemClock,
    log,
  });
  const reporters = resolveBounces(config.bounces);
  if (reporters === undefined) return;
  const { suppressionMs } = config.email;
  addBounceRoutes(app, { suppressions, reporters, suppressionMs, clock: systemClock, log });
}

/** Where the account page sends somebody who wants to choose. */
export function preferencesPathOf(config: Config): (address: string) => string {
  return createPreferencesPath({ secret: emailSecret(config), clock: systemClock });
}

/**
 * What is forgotten with a user: the wishes, and the address where it was suppressed. It stays
 * suppressed, because its server refuses mails whoever has an account here.
 */
export function forgetRecipient({ preferences, suppressions }: RecipientStores) {
  return async ({ email }: User): Promise<void> => {
    const key = recipientKey(email);
    await preferences.forget(key);
    await suppressions.forgetAddress(key);
  };
}

/**
 * What a person declined is declined at the new address too. The old one forgets it: it may be
 * somebody else's one day. A store that is away loses the wishes, not the change.
 */
export function carryWishes({ preferences }: Pick<RecipientStores, "preferences">, log: Log) {
  return async (change: { readonly from: string; readonly to: string }): Promise<void> => {
    const [from, to] = [recipientKey(change.from), recipientKey(change.to)];
    try {
      const wishes = await getPreferences(preferences, from);
      const declined = Object.entries(wishes).filter(([, wanted]) => !wanted);
      await preferences.change(to, Object.fromEntries(declined));
      await preferences.forget(from);
    } catch (error) {
      if (!isInstantError(error)) throw error;
      log.warn({ error: errorMessage(error) }, "E-mail preferences were not carried over");
    }
  };
}
