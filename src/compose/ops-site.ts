import type { Hono } from "hono";
import { systemClock } from "../core/clock.ts";
import type { HttpEnvironment } from "../core/http/environment.ts";
import type { Log } from "../core/log.ts";
import type { Service } from "../core/service.ts";
import { addInboxRoutes } from "../email/inbox-routes.ts";
import { senderDefault } from "../email/mailer/inbox-mailer.ts";
import { operatorsOnly } from "../email/ops/access.ts";
import type { LagWatch } from "../email/ops/lag-watch.ts";
import { LiveFeed } from "../email/ops/live-feed.ts";
import { LoginTries } from "../email/ops/login-tries.ts";
import type { OutcomeHistory } from "../email/ops/outcome-history.ts";
import { renderSections } from "../email/ops/pages/dashboard.tsx";
import type { OpsSite } from "../email/ops/pages/ops-page.tsx";
import { ReplayJob } from "../email/ops/replay-job.ts";
import { addSiteRoutes } from "../email/ops/site-routes.ts";
import { takeSnapshot } from "../email/ops/snapshot.ts";
import type { EmailWorker } from "../email/worker.ts";
import type { Config } from "./config.ts";
import type { Engines } from "./engines.ts";

export function opsSiteOf({ app, ops }: Config): OpsSite {
  return {
    appName: app.name,
    hasInbox: app.emailMode === "log",
    hasLogin: ops.token !== undefined,
  };
}

/** As often as the lag is asked: more of the same figures would cost a busy service, and show nothing. */
const dashboardEveryMs = 2000;
/** Somebody waits for a code. */
const inboxEveryMs = 500;

export interface OpsSiteParts {
  readonly log: Log;
  readonly worker: EmailWorker;
  readonly history: OutcomeHistory;
  readonly lag: LagWatch;
  /** For the example on the empty inbox. */
  readonly authUrl: string;
}

/** Adds the pages for operators. Returns what must stop before the server does. */
export async function addOpsSite(
  app: Hono<HttpEnvironment>,
  engines: Engines,
  { log, worker, history, lag, authUrl }: OpsSiteParts,
): Promise<readonly Service[]> {
  const { config } = engines;
  const { topics, ops } = config;
  const [eventLog, ledger] = [await engines.eventLog(), await engines.ledger()];
  const deadLetterTopic = topics.deadLetters;
  const clock = systemClock;
  const replays = { eventLog, ledger, clock, deadLetterTopic, eventsTopic: topics.events };
  const replay = new ReplayJob(replays, log);
  const snapshot = () => takeSnapshot({ worker, history, lag, replay });
  const feed = new LiveFeed({
    render: async () => renderSections(await snapshot()),
    everyMs: dashboardEveryMs,
  });
  const site = opsSiteOf(config);
  const access = { token: ops.token, tries: new LoginTries(clock), clock };
  addSiteRoutes(app, {
    ...{ site, access, feed, snapshot, log, replays, replay, ledger, deadLetterTopic },
    eventLog: async () => eventLog,
    recentMails: await engines.recentMails(),
  });
  if (!site.hasInbox) return [replay, feed];
  const inbox = await engines.inbox();
  const inboxFeed = new LiveFeed({
    render: async () => ({ newest: String(inbox.list(1)[0]?.id ?? 0) }),
    everyMs: inboxEveryMs,
  });
  const guard = operatorsOnly(access);
  const sender = { address: config.smtp.from ?? senderDefault, name: config.smtp.fromName };
  addInboxRoutes(app, { inbox, authUrl, site, sender, guard, feed: inboxFeed });
  return [replay, feed, inboxFeed];
}
