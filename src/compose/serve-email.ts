import { systemClock } from "../core/clock.ts";
import { errorMessage } from "../core/errors.ts";
import { createRequestMetrics } from "../core/http/request-metrics.ts";
import { openHttpServer } from "../core/http/server.ts";
import type { Log } from "../core/log.ts";
import type { Metrics } from "../core/metrics.ts";
import type { Running } from "../core/run-until-signal.ts";
import { createMailerMetrics } from "../email/mailer/mailer-metrics.ts";
import { describeOpenTransactions, LagWatch } from "../email/ops/lag-watch.ts";
import { OutcomeHistory } from "../email/ops/outcome-history.ts";
import { opsProblemPage } from "../email/ops/pages/problem-page.tsx";
import { createOpsApp } from "../email/ops-routes.ts";
import { topicSpecs } from "../email/topics.ts";
import { EmailWorker } from "../email/worker.ts";
import { createWorkerMetrics } from "../email/worker-metrics.ts";
import { composeDelivery } from "./delivery.ts";
import type { Engines } from "./engines.ts";
import { addOpsSite, opsSiteOf } from "./ops-site.ts";
import { openServiceMetrics } from "./service-metrics.ts";

export interface StartedEmailService {
  readonly url: string;
}

/** What is known of serve-auth when it runs in the same process. */
export interface EmailNeighbours {
  /** For the example on the empty inbox. */
  readonly authUrl?: string;
  /** Where links in mails lead; PUBLIC_URL's origin when left out. */
  readonly publicOrigin?: () => string | undefined;
}

/** Starts the worker and its operations pages. */
export async function startServeEmail(
  engines: Engines,
  { group, fail }: Running,
  log: Log,
  neighbours: EmailNeighbours = {},
): Promise<StartedEmailService> {
  const { email, topics } = engines.config;
  const metrics = await openServiceMetrics(engines, "email");
  const onRequest = createRequestMetrics(metrics);
  const { authUrl = `http://localhost:${engines.config.auth.port}`, publicOrigin } = neighbours;
  const history = new OutcomeHistory(systemClock);
  const worker = await openWorker(engines, { metrics, log, fail, publicOrigin, history });
  const [eventLog, ledger, mailers] = [
    await engines.eventLog(),
    await engines.ledger(),
    await engines.mailers(),
  ];
  const reasonsHeld = () => worker.reasonsHeld;
  const lag = new LagWatch({
    ...{ eventLog, topic: topics.events, group: topics.group },
    clock: systemClock,
  });
  const notices = () => [
    ...worker.serversDown.map(({ down }) => down.reason),
    ...describeOpenTransactions(lag.known()),
  ];
  const site = opsSiteOf(engines.config);
  const app = createOpsApp({
    ...{ log, ledger, reasonsHeld, notices, now: systemClock.now, metrics, onRequest },
    drawProblem: (problem, { req }) => opsProblemPage(site, problem, req),
  });
  const live = await addOpsSite(app, engines, { log, worker, history, lag, authUrl });
  const server = openHttpServer({
    name: "operations pages",
    fetch: app.fetch,
    portVariable: "EMAIL_SERVICE_PORT",
    hostname: email.serviceBind,
    port: email.servicePort,
    log,
  });
  await group.start(worker);
  await group.start(server);
  for (const service of live) await group.start(service);
  const url = `http://${email.serviceHost}:${server.port}`;
  log.info(
    {
      url,
      eventLog: eventLog.address,
      ledger: ledger.connection,
      mailer: mailers.map(({ address }) => address).join(", "),
      topic: topics.events,
      group: topics.group,
    },
    "Email service started",
  );
  return { url };
}

interface WorkerParts {
  readonly metrics: Metrics;
  readonly history: OutcomeHistory;
  readonly log: Log;
  readonly fail: () => void;
  readonly publicOrigin: EmailNeighbours["publicOrigin"];
}

/** The embedded log has its topics made; a Kafka's are made by create-topics. */
async function openWorker(
  engines: Engines,
  { metrics, history, log, fail, publicOrigin }: WorkerParts,
): Promise<EmailWorker> {
  const { topics, email, kafka } = engines.config;
  const eventLog = await engines.eventLog();
  if (kafka.brokers === undefined) {
    await eventLog.createTopics(topicSpecs(topics), { grow: false });
  }
  const measure = createWorkerMetrics({
    metrics,
    clock: systemClock,
    worker: () => worker,
    lag: () => eventLog.lag(topics.events, topics.group),
  });
  const measureMailer = createMailerMetrics(metrics, systemClock);
  const worker: EmailWorker = new EmailWorker({
    eventLog,
    ledger: await engines.ledger(),
    ...(await composeDelivery(engines, log, publicOrigin, measureMailer)),
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
    onOutcome: (outcome, event) => {
      measure.onOutcome(outcome, event);
      history.note(outcome, event);
    },
    onBuried: (deadLetterClass) => {
      measure.onBuried(deadLetterClass);
      history.noteBuried();
    },
  });
  return worker;
}
