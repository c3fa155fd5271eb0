import type { Hono } from "hono";
import { createAuthApp, createStoreMetrics } from "../auth/app.ts";
import { resolveLimitPolicy } from "../auth/config.ts";
import { getSignedIn } from "../auth/current-session.ts";
import { createAuthKeys } from "../auth/keys.ts";
import type { User } from "../auth/users/user-store.ts";
import { errorMessage, isInstantError } from "../core/errors.ts";
import type { HttpEnvironment } from "../core/http/environment.ts";
import { addMetricsRoute, createRequestMetrics } from "../core/http/metrics.ts";
import { openHttpServer, resolveHttp } from "../core/http/server.ts";
import type { Log } from "../core/log.ts";
import type { Metrics } from "../core/metrics.ts";
import type { Operation } from "../core/openapi/operation.ts";
import type { Running } from "../core/service.ts";
import { systemClock } from "../core/time.ts";
import { addBounceRoutes, bounceOperations } from "../email/bounces/bounce-routes.ts";
import { resolveBounces } from "../email/bounces/config.ts";
import { DirectDelivery } from "../email/delivery/direct.ts";
import { createPublisherMetrics, EventPublisher } from "../email/delivery/publisher.ts";
import { recipientKey, topicSpecs } from "../email/event.ts";
import { createMailerMetrics } from "../email/mailer/mail-servers.ts";
import { getPreferences } from "../email/preferences/preference-store.ts";
import {
  addPreferenceRoutes,
  addUnsubscribeRoutes,
  preferenceOperations,
} from "../email/preferences/routes.ts";
import { createPreferencesPath } from "../email/preferences/unsubscribe-link.ts";
import type { Config } from "./config.ts";
import { composeDelivery } from "./delivery.ts";
import type { Engines } from "./engines.ts";
import { mailTemplatesOf } from "./mail-templates.ts";
import { openServiceMetrics } from "./run-service.ts";
import { authSecrets, emailSecret } from "./secrets.ts";
import type { AuthStores, RecipientStores } from "./stores.ts";
import { openAuthStores, openRecipientStores } from "./stores.ts";

type AuthMeasures = ReturnType<typeof createAuthMeasures>;

/** Everything that serve-auth tells Prometheus, beside what its process costs. */
export function createAuthMeasures(metrics: Metrics, isLogUnavailable: () => boolean) {
  return {
    onRequest: createRequestMetrics(metrics),
    countStores: createStoreMetrics(metrics),
    onPublished: createPublisherMetrics(metrics, isLogUnavailable),
    observeMailer: createMailerMetrics(metrics, systemClock),
  };
}

interface RecipientRouteParts {
  readonly config: Config;
  readonly log: Log;
  readonly authStores: AuthStores;
  readonly recipients: RecipientStores;
}

/** What `addRecipientRoutes` adds to the described API. */
function recipientOperations({ bounces }: Config): readonly Operation[] {
  const reportable = resolveBounces(bounces) !== undefined;
  return [...preferenceOperations, ...(reportable ? bounceOperations : [])];
}

/** What the e-mail rooms add to serve-auth, because that is where people come. */
function addRecipientRoutes(app: Hono<HttpEnvironment>, parts: RecipientRouteParts): void {
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
function preferencesPathOf(config: Config): (address: string) => string {
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
export function carryPreferences({ preferences }: Pick<RecipientStores, "preferences">, log: Log) {
  return async (change: { readonly from: string; readonly to: string }): Promise<void> => {
    const [from, to] = [recipientKey(change.from), recipientKey(change.to)];
    try {
      const current = await getPreferences(preferences, from);
      const declined = Object.entries(current).filter(([, wanted]) => !wanted);
      await preferences.change(to, Object.fromEntries(declined));
      await preferences.forget(from);
    } catch (error) {
      if (!isInstantError(error)) throw error;
      log.warn({ error: errorMessage(error) }, "E-mail preferences were not carried over");
    }
  };
}

interface StartedAuthService {
  readonly url: string;
}

/** What is known of each other by services that run in one process, once they listen. */
interface AuthNeighbours {
  /** Where a developer reads the mails. */
  readonly inboxUrl?: () => string | undefined;
  /** Where links in mails lead; PUBLIC_URL's origin when left out. */
  readonly publicOrigin?: () => string | undefined;
}

/** Starts the sign-in API and pages, and what they need to deliver mails themselves. */
export async function startServeAuth(
  engines: Engines,
  { group }: Running,
  log: Log,
  { inboxUrl = () => undefined, publicOrigin }: AuthNeighbours = {},
): Promise<StartedAuthService> {
  const { config } = engines;
  const secrets = authSecrets(config);
  const authStores = await openAuthStores(engines);
  const recipients = await openRecipientStores(engines);
  const metrics = await openServiceMetrics(engines, "auth");
  const measures = createAuthMeasures(metrics, () => publisher.reasonDirect !== undefined);
  const publisher = await openPublisher(engines, log, { publicOrigin, measures });
  const app = createAuthApp({
    ...authStores,
    ...measures.countStores(authStores),
    publisher,
    onRequest: measures.onRequest,
    keys: createAuthKeys(secrets.current, secrets.previous),
    limitPolicy: resolveLimitPolicy(config.auth),
    appName: config.app.name,
    boundary: resolveHttp(config.http),
    inboxUrl,
    clock: systemClock,
    log,
    secureCookies: config.app.environment === "production",
    welcomes: config.auth.welcomeMail,
    signInNotices: config.auth.signInNotice,
    emailChangeNotices: config.auth.emailChangeNotice,
    mailLanguages: mailTemplatesOf(engines).languages,
    onUserDeleted: [forgetRecipient(recipients)],
    onEmailChanged: [carryPreferences(recipients, log)],
    furtherOperations: recipientOperations(config),
    preferencesPath: preferencesPathOf(config),
  });
  addRecipientRoutes(app, { config, log, authStores, recipients });
  addMetricsRoute(app, metrics, {
    token: config.http.metricsToken,
    loopback: config.app.environment !== "production",
  });
  const server = openHttpServer({
    name: "sign-in API",
    fetch: app.fetch,
    portVariable: "AUTH_SERVICE_PORT",
    hostname: config.auth.bind,
    port: config.auth.port,
    log,
  });
  await group.start(server);
  const { enableKafka } = config.app;
  const eventLog = enableKafka ? (await engines.eventLog()).address : "off (ENABLE_KAFKA=false)";
  log.info({ url: server.url, eventLog }, "Auth service started");
  return { url: server.url };
}

interface PublisherParts {
  readonly publicOrigin: AuthNeighbours["publicOrigin"];
  readonly measures: AuthMeasures;
}

async function openPublisher(
  engines: Engines,
  log: Log,
  { publicOrigin, measures }: PublisherParts,
): Promise<EventPublisher> {
  const { app, kafka, topics } = engines.config;
  const eventLog = app.enableKafka ? await engines.eventLog() : undefined;
  if (kafka.brokers === undefined) {
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
      drainMs: engines.config.email.drainMs,
      onPublished: measures.onPublished,
    });
  });
}
