import { systemClock } from "../core/clock.ts";
import { errorMessage } from "../core/errors.ts";
import { openHttpServer } from "../core/http/server.ts";
import type { Log } from "../core/log.ts";
import type { Running } from "../core/run-until-signal.ts";
import { addInboxRoutes } from "../email/inbox-routes.ts";
import { createOpsApp } from "../email/ops-routes.ts";
import { topicSpecs } from "../email/topics.ts";
import { EmailWorker } from "../email/worker.ts";
import { composeDelivery } from "./delivery.ts";
import type { Engines } from "./engines.ts";

export interface StartedEmailService {
  readonly url: string;
}

/** Starts the worker and its operations pages; `authUrl` is for the example on the empty inbox. */
export async function startServeEmail(
  engines: Engines,
  { group, fail }: Running,
  log: Log,
  authUrl = `http://localhost:${engines.config.auth.port}`,
): Promise<StartedEmailService> {
  const { config } = engines;
  const { topics, email } = config;
  const [eventLog, ledger, mailer] = await Promise.all([
    engines.eventLog(),
    engines.ledger(),
    engines.mailer(),
  ]);
  if (config.kafka.brokers === undefined) {
    await eventLog.createTopics(topicSpecs(topics), { grow: false });
  }
  const worker = new EmailWorker({
    eventLog,
    ledger,
    mailer,
    ...(await composeDelivery(engines, log)),
    clock: systemClock,
    log,
    settings: {
      eventsTopic: topics.events,
      deadLetterTopic: topics.deadLetters,
      group: topics.group,
      drainMs: email.drainMs,
      poisonMax: email.poisonMax,
    },
    onFailed: (error) => {
      log.error({ error: errorMessage(error) }, "Consumption cannot go on");
      fail();
    },
  });
  const app = createOpsApp({
    log,
    ledger,
    reasonsHeld: () => worker.reasonsHeld,
    now: systemClock.now,
  });
  if (config.app.emailMode === "log") {
    addInboxRoutes(app, { inbox: await engines.inbox(), authUrl });
  }
  const server = openHttpServer({
    name: "operations pages",
    fetch: app.fetch,
    hostname: email.serviceBind,
    port: email.servicePort,
    log,
  });
  await group.start(worker);
  await group.start(server);
  const url = `http://${email.serviceHost}:${server.port}`;
  log.info(
    {
      url,
      eventLog: eventLog.address,
      ledger: ledger.connection,
      mailer: mailer.address,
      topic: topics.events,
      group: topics.group,
    },
    "Email service started",
  );
  return { url };
}
