import { expect } from "bun:test";
import { getSignedIn } from "../../src/auth/session-routes.ts";
import { carryPreferences, forgetRecipient } from "../../src/compose/serve-auth.ts";
import { createLog, silentLog } from "../../src/core/log.ts";
import { addBounceRoutes, bounceOperations } from "../../src/email/bounces/bounce-routes.ts";
import type { BounceReporters } from "../../src/email/bounces/config.ts";
import { recipientKey } from "../../src/email/event.ts";
import { LoginAttempts } from "../../src/email/login-attempts.ts";
import type { GrantedType } from "../../src/email/preferences/preference-store.ts";
import {
  createPreferencesPath,
  createUnsubscribeToken,
} from "../../src/email/preferences/preference-store.ts";
import {
  addPreferenceRoutes,
  addUnsubscribeRoutes,
  preferenceOperations,
} from "../../src/email/preferences/preferences-page.tsx";
import { findEngine } from "../../support/engines.ts";
import { expectNoSecrets } from "../../support/log-secrets.ts";
import { FakeClock } from "./fake-clock.ts";
import type { RecipientStores } from "./recipient-stores.ts";
import { openRecipientStores } from "./recipient-stores.ts";
import type { OpenSignInWorld, SignInWorld } from "./sign-in-world.ts";
import { signInEngines } from "./sign-in-world.ts";

/** The sign-in API with what the e-mail modules add to it. */
export interface RecipientWorld extends AsyncDisposable, RecipientStores {
  readonly world: SignInWorld;
  readonly reporters: BounceReporters;
  /** The path of a link in a mail to `address`, of type welcome when left out. */
  linkTo(address: string, type?: string): string;
}

const linkSecret = "a secret for links in mails, long enough";
export const bounceSecret = "a secret for bounce reports, long enough";
export const postmark = { user: "postmark", password: "a long password" } as const;

type OpenRecipientWorld = (options?: {
  readonly preferencesUnavailable?: Error;
}) => Promise<RecipientWorld>;

/** The engines every flow of recipients is tested on. */
export function recipientEngines(): readonly (readonly [string, OpenRecipientWorld])[] {
  const postgresUrl = findEngine("postgres");
  return signInEngines().map(([name, open]) => {
    const postgres = name === "SQLite" ? undefined : postgresUrl;
    return [name, (options = {}) => openWorld(open, postgres, options)] as const;
  });
}

async function openWorld(
  open: OpenSignInWorld,
  postgres: string | undefined,
  { preferencesUnavailable }: { readonly preferencesUnavailable?: Error },
): Promise<RecipientWorld> {
  const stack = new AsyncDisposableStack();
  const storesClock = new FakeClock();
  const stores = await openRecipientStores(postgres, stack, { clock: storesClock });
  const world = stack.use(
    await open({
      onUserDeleted: [forgetRecipient(stores)],
      onEmailChanged: [carryPreferences(stores, silentLog)],
      furtherOperations: [...preferenceOperations, ...bounceOperations],
      preferencesPath: createPreferencesPath({ secret: linkSecret, clock: storesClock }),
    }),
  );
  const { app, clock, lines } = world;
  const log = createLog({ service: "auth", level: "debug", write: (line) => lines.push(line) });
  const away = () => Promise.reject(preferencesUnavailable);
  const preferences =
    preferencesUnavailable === undefined
      ? stores.preferences
      : { findDeclined: away, change: away, forget: away };
  const reporters = { secret: bounceSecret, postmark };
  const sessions = { ...world.stores, cookieName: "session_id", secureCookies: false };
  const currentUser = async (context: Parameters<typeof getSignedIn>[0]) =>
    (await getSignedIn(context, sessions)).user;
  addPreferenceRoutes(app, { preferences, currentUser });
  const secrets = { current: linkSecret, previous: undefined };
  addUnsubscribeRoutes(app, {
    preferences,
    secrets,
    appName: "Acme",
    fallbackLanguage: "en",
    clock,
    log,
  });
  const suppressionMs = 86_400_000;
  const attempts = new LoginAttempts(clock);
  addBounceRoutes(app, { ...stores, reporters, attempts, suppressionMs, clock, log });
  return {
    ...stores,
    world,
    reporters,
    linkTo: (address, type = "welcome") => {
      const grant = { key: recipientKey(address), type: type as GrantedType };
      const token = createUnsubscribeToken(linkSecret, { ...grant, issuedAt: clock.now() });
      return `/unsubscribe/${token}`;
    },
    [Symbol.asyncDispose]: async () => {
      expectNoSecrets(lines);
      expect(lines.filter((line) => /unsubscribe\/[0-9a-f]/.test(line))).toEqual([]);
      await stack.disposeAsync();
    },
  };
}
