import type { Hono } from "hono";
import { createAuthApp, createStoreMetrics } from "../auth/app.ts";
import type { AddressChange } from "../auth/auth-deps.ts";
import { createAuthKeys } from "../auth/auth-deps.ts";
import { resolveLimitPolicy } from "../auth/config.ts";
import type { SessionDeps } from "../auth/session-routes.ts";
import { getSignedIn } from "../auth/session-routes.ts";
import { canonicalizeAddresses } from "../auth/users/canonical-addresses.ts";
import type { User } from "../auth/users/user-store.ts";
import { errorMessage, isInstantError } from "../core/errors.ts";
import type { EarlyServer } from "../core/http/early-server.ts";
import { addMetricsRoute, createRequestMetrics } from "../core/http/metrics.ts";
import type { HttpEnvironment } from "../core/http/problem.ts";
import type { Language } from "../core/languages.ts";
import { findLanguage } from "../core/languages.ts";
import type { Log } from "../core/log.ts";
import type { Metrics } from "../core/metrics.ts";
import type { Operation } from "../core/openapi/create-document.ts";
import type { Running } from "../core/service.ts";
import { systemClock } from "../core/time.ts";
import { addBounceRoutes, bounceOperations } from "../email/bounces/bounce-routes.ts";
import {
  createPublisherMetrics,
  DirectDelivery,
  EventPublisher,
} from "../email/delivery/publisher.ts";
import { recipientKey, recipientKeyOf, topicSpecs } from "../email/event.ts";
import { LoginAttempts } from "../email/login-attempts.ts";
import { createMailerMetrics } from "../email/mailer/mail-servers.ts";
import { createPreferencesPath, getPreferences } from "../email/preferences/preference-store.ts";
import {
  addPreferenceRoutes,
  addUnsubscribeRoutes,
  preferenceOperations,
} from "../email/preferences/preferences-page.tsx";
import type { Config } from "./config.ts";
import { authSecrets } from "./config.ts";
import { composeDelivery, mailTemplatesOf } from "./delivery.ts";
import type { Engines, RecipientStores } from "./engines.ts";
import { openAuthStores, openRecipientStores, openServiceMetrics } from "./engines.ts";

/** What serve-auth knows about serve-email when both run in one process and listen. */
interface AuthNeighbours {
  /** The inbox of a developer's machine. */
  readonly inboxUrl?: string;
  /** The origin of links in mails; that of PUBLIC_URL when left out. */
  readonly publicOrigin?: string;
}

/**
 * Starts serve-auth: the sign-in API and pages, the routes for recipients and bounce reports, and a
 * publisher that delivers mails directly while it cannot publish.
 */
export async function startServeAuth(
  engines: Engines,
  { group }: Running,
  log: Log,
  server: EarlyServer,
  { inboxUrl, publicOrigin }: AuthNeighbours = {},
): Promise<void> {
  const { app: settings, auth, http } = engines.config;
  const isProduction = settings.environment === "production";
  const secrets = authSecrets(engines.config);
  const [authStores, recipients] = await Promise.all([
    openAuthStores(engines),
    openRecipientStores(engines),
  ]);
  const onRewritten = rekeyRecipient(recipients, log);
  void canonicalizeAddresses({ users: authStores.users, log, onRewritten });
  const metrics = await openServiceMetrics(engines, "auth");
  const measures = createAuthMeasures(metrics, () => publisher.reasonDirect !== undefined);
  const publisher = await openPublisher(engines, log, measures, publicOrigin);
  const { current: emailSecret } = engines.emailSecrets;
  const cookies = { cookieName: auth.cookieName, secureCookies: isProduction };
  const app = createAuthApp({
    ...authStores,
    ...measures.countStores(authStores),
    publisher,
    onRequest: measures.onRequest,
    keys: createAuthKeys(secrets.current, secrets.previous),
    limitPolicy: resolveLimitPolicy(auth),
    reservedUsernames: auth.reservedUsernames ?? [],
    appName: settings.name,
    boundary: http.boundary,
    linkOrigin: publicOrigin,
    inboxUrl,
    clock: systemClock,
    log,
    ...cookies,
    refusesLocalhost: isProduction,
    welcomes: auth.welcomeMail,
    signInNotices: auth.signInNotice,
    emailChangeNotices: auth.emailChangeNotice,
    mailLanguages: mailTemplatesOf(engines).languages,
    fallbackLanguage: fallbackLanguageOf(engines.config),
    onUserDeleted: [forgetRecipient(recipients)],
    onEmailChanged: [carryPreferences(recipients, log)],
    furtherOperations: recipientOperations(engines),
    preferencesPath: createPreferencesPath({ secret: emailSecret, clock: systemClock }),
  });
  addRecipientRoutes(app, engines, log, { ...authStores, ...cookies }, recipients);
  addMetricsRoute(app, metrics, { token: http.metricsToken, loopback: !isProduction });
  server.serve(app.fetch);
  await group.start(server);
  const { enableKafka } = settings;
  const eventLog = enableKafka ? (await engines.eventLog()).address : "off (ENABLE_KAFKA=false)";
  log.info({ url: server.url, eventLog }, "Auth service started");
}

type AuthMeasures = ReturnType<typeof createAuthMeasures>;

/** All metrics of serve-auth, besides those of its process. */
export function createAuthMeasures(metrics: Metrics, isLogUnavailable: () => boolean) {
  return {
    onRequest: createRequestMetrics(metrics),
    countStores: createStoreMetrics(metrics),
    onPublished: createPublisherMetrics(metrics, isLogUnavailable),
    observeMailer: createMailerMetrics(metrics, systemClock),
  };
}

async function openPublisher(
  engines: Engines,
  log: Log,
  measures: AuthMeasures,
  publicOrigin: AuthNeighbours["publicOrigin"],
): Promise<EventPublisher> {
  const { app, kafka, topics, email } = engines.config;
  const eventLog = app.enableKafka ? await engines.eventLog() : undefined;
  if (kafka.connection === undefined) {
    await eventLog?.createTopics(topicSpecs(topics), { grow: false });
  }
  const ledger = await engines.ledger();
  const { pipeline, mailer } = await composeDelivery(
    engines,
    log,
    publicOrigin,
    measures.observeMailer,
  );
  return engines.once("e-mail publisher", () => {
    const direct = new DirectDelivery({ pipeline, ledger, clock: systemClock, log });
    return new EventPublisher({
      eventLog,
      topic: topics.events,
      direct,
      mailer,
      ledger,
      clock: systemClock,
      log,
      drainMs: email.drainMs,
      onPublished: measures.onPublished,
    });
  });
}

/** The language of pages for people who name none of ours. */
function fallbackLanguageOf({ templates }: Config): Language {
  return findLanguage(templates.locale) ?? "en";
}

/** The operations that `addRecipientRoutes` adds to the described API. */
function recipientOperations({ config }: Engines): readonly Operation[] {
  const { reporters } = config.bounces;
  return [...preferenceOperations, ...(reporters === undefined ? [] : bounceOperations)];
}

/** The routes of the e-mail modules on serve-auth, because it is the public service. */
function addRecipientRoutes(
  app: Hono<HttpEnvironment>,
  engines: Engines,
  log: Log,
  sessions: SessionDeps,
  { preferences, suppressions }: RecipientStores,
): void {
  const { app: settings, bounces, email } = engines.config;
  addPreferenceRoutes(app, {
    preferences,
    currentUser: async (context) => (await getSignedIn(context, sessions)).user,
  });
  addUnsubscribeRoutes(app, {
    preferences,
    secrets: engines.emailSecrets,
    appName: settings.name,
    fallbackLanguage: fallbackLanguageOf(engines.config),
    clock: systemClock,
    log,
  });
  const { reporters } = bounces;
  if (reporters === undefined) return;
  const { suppressionMs } = email;
  const clock = systemClock;
  const attempts = new LoginAttempts(clock);
  addBounceRoutes(app, { suppressions, reporters, suppressionMs, attempts, clock, log });
}

/**
 * Deletes what the e-mail modules store about a user: the preferences, and the address of a
 * suppression. The address stays suppressed, because its server refuses mails with or without an
 * account here.
 */
export function forgetRecipient({ preferences, suppressions }: RecipientStores) {
  return async ({ email }: User): Promise<void> => {
    const key = recipientKey(email);
    await preferences.forget(key);
    await suppressions.forgetAddress(key);
  };
}

/**
 * Copies the declined types to the new address and deletes them at the old one, which may get
 * another owner. When the store is unavailable, the preferences are lost, not the change.
 */
export function carryPreferences(stores: Pick<RecipientStores, "preferences">, log: Log) {
  return ({ from, to }: AddressChange): Promise<void> =>
    movePreferences(stores, log, { from: recipientKey(from), to: recipientKey(to) });
}

/** `from` and `to`: recipient keys. */
async function movePreferences(
  { preferences }: Pick<RecipientStores, "preferences">,
  log: Log,
  { from, to }: AddressChange,
): Promise<void> {
  try {
    const current = await getPreferences(preferences, from);
    const declined = Object.entries(current).filter(([, wanted]) => !wanted);
    await preferences.change(to, Object.fromEntries(declined));
    await preferences.forget(from);
  } catch (error) {
    if (!isInstantError(error)) throw error;
    log.warn({ error: errorMessage(error) }, "E-mail preferences were not carried over");
  }
}

/** What was stored under the text that an address had before it was rewritten in canonical form. */
export function rekeyRecipient(stores: RecipientStores, log: Log) {
  return async ({ from, to }: AddressChange): Promise<void> => {
    const keys = { from: recipientKeyOf(from), to: recipientKey(to) };
    await movePreferences(stores, log, keys);
    const entry = (await stores.suppressions.find([keys.from])).get(keys.from);
    if (entry === undefined) return;
    const address = entry.address === undefined ? undefined : to;
    await stores.suppressions.add([{ ...entry, key: keys.to, address }]);
    await stores.suppressions.remove(keys.from);
  };
}
