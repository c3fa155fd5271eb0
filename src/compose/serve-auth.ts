import { createAuthApp } from "../auth/app.ts";
import { createAuthKeys } from "../auth/auth-keys.ts";
import { resolveLimitPolicy } from "../auth/config.ts";
import { systemClock } from "../core/clock.ts";
import { resolveHttp } from "../core/http/config.ts";
import { addMetricsRoute } from "../core/http/metrics-route.ts";
import { openHttpServer } from "../core/http/server.ts";
import type { Log } from "../core/log.ts";
import type { Running } from "../core/run-until-signal.ts";
import { DirectDelivery } from "../email/direct.ts";
import { EventPublisher } from "../email/event-publisher.ts";
import { topicSpecs } from "../email/topics.ts";
import type { AuthMeasures } from "./auth-measures.ts";
import { createAuthMeasures } from "./auth-measures.ts";
import { openAuthStores } from "./auth-stores.ts";
import { composeDelivery } from "./delivery.ts";
import type { Engines } from "./engines.ts";
import { mailTemplatesOf } from "./mail-templates.ts";
import {
  addRecipientRoutes,
  carryWishes,
  forgetRecipient,
  preferencesPathOf,
  recipientOperations,
} from "./recipient-routes.ts";
import { openRecipientStores } from "./recipient-stores.ts";
import { authSecrets } from "./secrets.ts";
import { openServiceMetrics } from "./service-metrics.ts";

export interface StartedAuthService {
  readonly url: string;
}

/** What is known of each other by services that run in one process, once they listen. */
export interface AuthNeighbours {
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
    onEmailChanged: [carryWishes(recipients, log)],
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
    measures.measureMailer,
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
