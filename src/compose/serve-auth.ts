import { createAuthApp } from "../auth/app.ts";
import { createAuthKeys } from "../auth/auth-keys.ts";
import { resolveLimitPolicy } from "../auth/config.ts";
import { systemClock } from "../core/clock.ts";
import { resolveHttp } from "../core/http/config.ts";
import { openHttpServer } from "../core/http/server.ts";
import type { Log } from "../core/log.ts";
import type { Running } from "../core/run-until-signal.ts";
import { DirectDelivery } from "../email/direct.ts";
import { EventPublisher } from "../email/event-publisher.ts";
import { topicSpecs } from "../email/topics.ts";
import { openAuthStores } from "./auth-stores.ts";
import { composeDelivery } from "./delivery.ts";
import type { Engines } from "./engines.ts";
import { authSecrets } from "./secrets.ts";

export interface StartedAuthService {
  readonly url: string;
}

/**
 * Starts the sign-in API and pages, and what they need to deliver mails themselves. `inboxUrl` is
 * where a developer reads the mails, once that is known.
 */
export async function startServeAuth(
  engines: Engines,
  { group }: Running,
  log: Log,
  inboxUrl: () => string | undefined = () => undefined,
): Promise<StartedAuthService> {
  const { config } = engines;
  const secrets = authSecrets(config);
  const app = createAuthApp({
    ...(await openAuthStores(engines)),
    publisher: await openPublisher(engines, log),
    keys: createAuthKeys(secrets.current, secrets.previous),
    limitPolicy: resolveLimitPolicy(config.auth),
    appName: config.app.name,
    boundary: resolveHttp(config.http),
    inboxUrl,
    clock: systemClock,
    log,
    secureCookies: config.app.environment === "production",
    welcomes: config.auth.welcomeMail,
    onUserDeleted: [], // nobody else keeps anything of a user yet
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

async function openPublisher(engines: Engines, log: Log): Promise<EventPublisher> {
  const { app, kafka, topics } = engines.config;
  const eventLog = app.enableKafka ? await engines.eventLog() : undefined;
  if (kafka.brokers === undefined) {
    await eventLog?.createTopics(topicSpecs(topics), { grow: false });
  }
  const ledger = await engines.ledger();
  const { pipeline } = await composeDelivery(engines, log);
  return engines.once("e-mail publisher", () => {
    const direct = new DirectDelivery({ pipeline, ledger, clock: systemClock, log });
    return new EventPublisher({
      eventLog,
      topic: topics.events,
      direct,
      ledger,
      clock: systemClock,
      log,
    });
  });
}
