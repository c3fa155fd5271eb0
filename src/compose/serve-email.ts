import type { Hono } from "hono";
import { errorMessage } from "../core/errors.ts";
import type { EarlyServer } from "../core/http/early-server.ts";
import { createRequestMetrics } from "../core/http/metrics.ts";
import type { HttpEnvironment } from "../core/http/problem.ts";
import type { Log } from "../core/log.ts";
import type { Metrics } from "../core/metrics.ts";
import type { Running, Service } from "../core/service.ts";
import { systemClock } from "../core/time.ts";
import { createWorkerMetrics } from "../email/delivery/metrics.ts";
import { EmailWorker } from "../email/delivery/worker.ts";
import { topicSpecs } from "../email/event.ts";
import { LagReader } from "../email/event-log/lag-reader.ts";
import { LoginAttempts } from "../email/login-attempts.ts";
import { senderDefault } from "../email/mailer/inbox/inbox.ts";
import { addInboxRoutes } from "../email/mailer/inbox/inbox-page.tsx";
import { createMailerMetrics } from "../email/mailer/mail-servers.ts";
import { operatorsOnly } from "../email/ops/access.ts";
import { describeOpenTransactions, renderSections, takeSnapshot } from "../email/ops/dashboard.tsx";
import { ReplayJob } from "../email/ops/dead-letter-routes.tsx";
import { LiveFeed, OutcomeHistory } from "../email/ops/live-feed.ts";
import type { OpsSite } from "../email/ops/ops-page.tsx";
import { opsProblemPage } from "../email/ops/ops-page.tsx";
import { addSiteRoutes, createOpsApp } from "../email/ops/site-routes.tsx";
import { composeDelivery, mailTemplatesOf } from "./delivery.ts";
import type { Engines } from "./engines.ts";
import { openServiceMetrics } from "./engines.ts";

/** What serve-email knows about serve-auth when both run in one process. */
interface EmailNeighbours {
  /** For the example on the empty inbox. */
  readonly authUrl?: string;
  /** The origin of links in mails; that of PUBLIC_URL when left out. */
  readonly publicOrigin?: string;
}

/** Starts serve-email: the worker, its health and metrics, and the pages for operators. */
export async function startServeEmail(
  engines: Engines,
  { group, fail }: Running,
  log: Log,
  server: EarlyServer,
  { authUrl, publicOrigin }: EmailNeighbours = {},
): Promise<void> {
  const { app: settings, email, http, ops, topics } = engines.config;
  const metrics = await openServiceMetrics(engines, "email");
  const onRequest = createRequestMetrics(metrics);
  const history = new OutcomeHistory(systemClock);
  const eventLog = await engines.eventLog();
  const ledger = await engines.ledger();
  const mailers = await engines.mailers();
  const lag = new LagReader({
    eventLog,
    topic: topics.events,
    group: topics.group,
    clock: systemClock,
  });
  const worker = await openWorker(engines, { metrics, lag, log, fail, publicOrigin, history });
  const site = {
    appName: settings.name,
    hasInbox: settings.emailMode === "log",
    hasLogin: ops.token !== undefined,
  };
  const app = createOpsApp({
    log,
    ledger,
    pausedReasons: () => worker.pausedReasons,
    notices: () => [
      ...worker.serversDown.map(({ down }) => down.reason),
      ...describeOpenTransactions(lag.known()),
    ],
    now: systemClock.now,
    metrics,
    metricsToken: http.metricsToken,
    trustedProxies: http.boundary.trustedProxies,
    hstsSubdomains: http.boundary.hstsSubdomains,
    onRequest,
    drawProblem: (problem, { req }) => opsProblemPage(site, problem, req),
  });
  const live = await addOpsSite(app, engines, site, { log, worker, history, lag, authUrl });
  server.serve(app.fetch);
  for (const service of [worker, server, ...live]) await group.start(service);
  log.info(
    {
      url: `http://${email.serviceHost}:${server.port}`,
      eventLog: eventLog.address,
      ledger: ledger.connection,
      mailer: mailers.map(({ address }) => address).join(", "),
      topic: topics.events,
      group: topics.group,
    },
    "Email service started",
  );
}

interface WorkerParts {
  readonly metrics: Metrics;
  readonly lag: LagReader;
  readonly history: OutcomeHistory;
  readonly log: Log;
  readonly fail: () => void;
  readonly publicOrigin: EmailNeighbours["publicOrigin"];
}

/** Creates the topics of the embedded log; those of Kafka are created by create-topics. */
async function openWorker(
  engines: Engines,
  { metrics, lag, history, log, fail, publicOrigin }: WorkerParts,
): Promise<EmailWorker> {
  const { topics, email, kafka } = engines.config;
  const eventLog = await engines.eventLog();
  if (kafka.connection === undefined) {
    await eventLog.createTopics(topicSpecs(topics), { grow: false });
  }
  const measure = createWorkerMetrics({
    metrics,
    clock: systemClock,
    worker: () => worker,
    lag,
  });
  const observeMailer = createMailerMetrics(metrics, systemClock);
  const worker: EmailWorker = new EmailWorker({
    eventLog,
    ledger: await engines.ledger(),
    ...(await composeDelivery(engines, log, publicOrigin, observeMailer)),
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
      log.error({ error: errorMessage(error) }, "Consumer failed");
      fail();
    },
    onOutcome: (outcome, event) => {
      measure.onOutcome(outcome, event);
      history.observe(outcome, event);
    },
    onBuried: (deadLetterClass) => {
      measure.onBuried(deadLetterClass);
      history.observeDeadLetter();
    },
  });
  return worker;
}

/** Equal to the interval of lag reads: a shorter one would cost more and show the same figures. */
const dashboardEveryMs = 2000;
/** Short, because people wait for codes. */
const inboxEveryMs = 500;

interface OpsSiteParts {
  readonly log: Log;
  readonly worker: EmailWorker;
  readonly history: OutcomeHistory;
  readonly lag: LagReader;
  readonly authUrl: EmailNeighbours["authUrl"];
}

/** Adds the pages for operators. Returns the live feed, to be started with the server. */
async function addOpsSite(
  app: Hono<HttpEnvironment>,
  engines: Engines,
  site: OpsSite,
  { log, worker, history, lag, authUrl }: OpsSiteParts,
): Promise<readonly Service[]> {
  const { app: settings, topics, ops, auth, smtp } = engines.config;
  const eventLog = await engines.eventLog();
  const ledger = await engines.ledger();
  const deadLetterTopic = topics.deadLetters;
  const clock = systemClock;
  const replays = { eventLog, ledger, clock, deadLetterTopic, eventsTopic: topics.events };
  const replay = new ReplayJob(replays, log);
  const snapshot = () => takeSnapshot({ worker, history, lag, replay });
  const feed = new LiveFeed({
    render: async () => renderSections(await snapshot()),
    everyMs: dashboardEveryMs,
  });
  const access = {
    token: ops.token,
    loopback: settings.environment !== "production",
    attempts: new LoginAttempts(clock),
    clock,
  };
  addSiteRoutes(app, {
    site,
    access,
    feed,
    snapshot,
    log,
    replays,
    replay,
    ledger,
    deadLetterTopic,
    eventLog: async () => eventLog,
    recentMails: await engines.recentMails(),
  });
  if (!site.hasInbox) return [replay, feed];
  const inbox = await engines.inbox(mailTemplatesOf(engines).render);
  const inboxFeed = new LiveFeed({
    render: async () => ({ newest: String(inbox.list(1)[0]?.id ?? 0) }),
    everyMs: inboxEveryMs,
  });
  addInboxRoutes(app, {
    inbox,
    authUrl: authUrl ?? `http://localhost:${auth.port}`,
    site,
    sender: { address: smtp.from ?? senderDefault, name: smtp.fromName },
    guard: operatorsOnly(access),
    feed: inboxFeed,
  });
  return [replay, feed, inboxFeed];
}
