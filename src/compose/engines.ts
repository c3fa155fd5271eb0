// Opens engines and stores (real where an address is set, else files), and runs a service on them.
// Imports an adapter only when it opens it: loading all of them takes longer than starting.
import { join } from "node:path";
import type { CodeStore } from "../auth/codes/code-store.ts";
import { resolveCodePolicy, resolveSessionPolicy } from "../auth/config.ts";
import type { Limits } from "../auth/limits/limits.ts";
import type { SessionStore } from "../auth/sessions/session-store.ts";
import type { UserStore } from "../auth/users/user-store.ts";
import type { Environment } from "../core/config.ts";
import type { EarlyServer } from "../core/http/early-server.ts";
import { openEarlyServer } from "../core/http/early-server.ts";
import type { Log } from "../core/log.ts";
import { createLog, formatLogLine } from "../core/log.ts";
import type { Metrics } from "../core/metrics.ts";
import type { PostgresDatabase } from "../core/postgres/database.ts";
import type { RedisClient } from "../core/redis/client.ts";
import type { Running } from "../core/service.ts";
import { runUntilSignal, ServiceGroup } from "../core/service.ts";
import type { SqliteDatabase } from "../core/sqlite/database.ts";
import type { EventLog } from "../email/event-log/event-log.ts";
import type { DeliveryLedger } from "../email/ledger/delivery-ledger.ts";
import type { Inbox } from "../email/mailer/inbox/inbox.ts";
import type { Mailer } from "../email/mailer/mailer.ts";
import type { SmtpRateChange } from "../email/mailer/smtp/config.ts";
import type { PreferenceStore } from "../email/preferences/preference-store.ts";
import type { RecentMails } from "../email/recent-mails/recent-mails.ts";
import type { SuppressionStore } from "../email/suppressions/suppression-store.ts";
import type { RenderMail } from "../email/templates/mail-renderer.tsx";
import type { Config, Secrets } from "./config.ts";
import { emailSecrets } from "./config.ts";

/** The embedded engines' files in DATA_DIR; modules that are used together share one. */
type EmbeddedFile = "events" | "state" | "users" | "inbox";

/**
 * Opens each engine once, on first use: the real one if an address is set, else a local file. The
 * group owns what was opened.
 */
export class Engines {
  readonly config: Config;
  readonly log: Log;
  readonly #group: ServiceGroup;
  readonly #opened = new Map<string, Promise<AsyncDisposable>>();
  readonly #remembered = new Map<string, unknown>();

  constructor(config: Config, log: Log, group: ServiceGroup) {
    this.config = config;
    this.log = log;
    this.#group = group;
  }

  /** `open` runs once per name; its result is disposed of with the group. */
  once<R extends AsyncDisposable>(name: string, open: () => R | Promise<R>): Promise<R> {
    const known = this.#opened.get(name) as Promise<R> | undefined;
    if (known !== undefined) return known;
    const opening = this.#group.own(name, Promise.try(open));
    this.#opened.set(name, opening);
    return opening;
  }

  /** `create` runs once per name; for what needs no disposal. */
  remember<R>(name: string, create: () => R): R {
    if (!this.#remembered.has(name)) this.#remembered.set(name, create());
    return this.#remembered.get(name) as R;
  }

  get emailSecrets(): Secrets {
    return this.remember("e-mail secrets", () => emailSecrets(this.config));
  }

  eventLog(): Promise<EventLog> {
    return this.once("event log", async () => {
      const { connection, sessionTimeoutMs } = this.config.kafka;
      if (connection !== undefined) {
        const { openKafkaEventLog } = await import("../email/event-log/kafka/kafka.ts");
        return openKafkaEventLog({ connection, log: this.log, timings: { sessionTimeoutMs } });
      }
      const { openSqliteEventLog } = await import("../email/event-log/sqlite/sqlite.ts");
      return openSqliteEventLog(await this.file("events"), { log: this.log });
    });
  }

  ledger(): Promise<DeliveryLedger> {
    return this.once("delivery ledger", async () => {
      const recentMails = await this.recentMails();
      const redis = await this.redis();
      if (redis !== undefined) {
        const { openRedisDeliveryLedger } = await import("../email/ledger/redis.ts");
        return openRedisDeliveryLedger({ redis, recentMails });
      }
      const { openSqliteDeliveryLedger } = await import("../email/ledger/sqlite.ts");
      return openSqliteDeliveryLedger({ database: await this.file("state"), recentMails });
    });
  }

  /** The recent mails of each recipient, stored next to the ledger. */
  recentMails(): Promise<RecentMails & AsyncDisposable> {
    return this.once("recent mails", async () => {
      const recent = await this.#openRecentMails();
      return Object.assign(recent, { [Symbol.asyncDispose]: () => recent.settled() });
    });
  }

  async #openRecentMails(): Promise<RecentMails> {
    const secrets = () => this.emailSecrets;
    const redis = await this.redis();
    if (redis !== undefined) {
      const { openRedisRecentMails } = await import("../email/recent-mails/redis.ts");
      return openRedisRecentMails({ redis, secrets });
    }
    const { openSqliteRecentMails } = await import("../email/recent-mails/sqlite.ts");
    return openSqliteRecentMails({ database: await this.file("state"), secrets });
  }

  /** One mailer for each SMTP server, in the order of preference; or the inbox. */
  async mailers(): Promise<readonly Mailer[]> {
    const { app, smtp } = this.config;
    if (smtp.servers !== undefined) {
      const { openSmtpMailer } = await import("../email/mailer/smtp/smtp.ts");
      const onRateChange = (change: SmtpRateChange) => logRateChange(this.log, change);
      return Promise.all(
        smtp.servers.map((server, index) =>
          this.once(`mailer ${index + 1}`, () => openSmtpMailer({ ...server, onRateChange })),
        ),
      );
    }
    const inbox = await this.once("mailer", async () => {
      const { openInboxMailer } = await import("../email/mailer/inbox/inbox.ts");
      const log = app.environment === "production" ? undefined : this.log;
      return openInboxMailer({ database: await this.file("inbox"), from: smtp.from, log });
    });
    return [inbox];
  }

  /** The inbox of EMAIL_MODE=log; `render` shows its mails. */
  async inbox(render: RenderMail): Promise<Inbox> {
    const { openInbox } = await import("../email/mailer/inbox/inbox.ts");
    return openInbox({ database: await this.file("inbox"), render });
  }

  /** Undefined when no address is set. */
  async redis(): Promise<RedisClient | undefined> {
    const { connection } = this.config.redis;
    if (connection === undefined) return undefined;
    return this.once("redis", async () => {
      const { openRedis } = await import("../core/redis/client.ts");
      const { warnOfEviction } = await import("../core/redis/diagnose.ts");
      const redis = await openRedis({ connection, log: this.log });
      await warnOfEviction(redis, this.log);
      return redis;
    });
  }

  /** Undefined when no address is set. */
  async postgres(): Promise<PostgresDatabase | undefined> {
    const { connection } = this.config.postgres;
    if (connection === undefined) return undefined;
    return this.once("postgres", async () => {
      const { openPostgres } = await import("../core/postgres/database.ts");
      return openPostgres(connection);
    });
  }

  file(name: EmbeddedFile): Promise<SqliteDatabase> {
    const path = join(this.config.app.dataDirectory, `${name}.sqlite`);
    // Mails that go to nobody may be lost in a power failure; syncing them would slow the log mode most.
    const durability = name === "inbox" ? "process_end" : "power_loss";
    return this.once(`${name} file`, async () => {
      const { openSqlite } = await import("../core/sqlite/database.ts");
      return openSqlite(path, { durability });
    });
  }
}

/** Logged once per change, not per mail; a metric has the current rate. */
function logRateChange(log: Log, change: SmtpRateChange): void {
  const { host: smtpHost, perSecond } = change;
  if (change.kind === "free") log.info({ smtpHost, perSecond }, "Sending rate restored");
  else log.warn({ smtpHost, perSecond, reply: change.reply }, "Sending slowed down");
}

/** Every variable that names a real engine, or a mode that needs one. */
const engineVariables = [
  "KAFKA_BROKERS",
  "REDIS_URL",
  "REDIS_ADDR",
  "REDIS_PASSWORD",
  "DATABASE_URL",
  "DB_HOST",
  "DB_PASSWORD",
  "EMAIL_MODE",
  "ENABLE_KAFKA",
  "APP_ENV",
];

/** The environment without the variables that name real engines, and the names of those. */
export function embeddedOnly(environment: Environment): {
  readonly environment: Environment;
  readonly ignored: readonly string[];
} {
  const names = engineVariables.flatMap((name) => [name, `${name}_FILE`]);
  const ignored = names.filter((name) => environment[name]);
  const kept = Object.entries(environment).filter(([name]) => !names.includes(name));
  return { environment: Object.fromEntries(kept), ignored };
}

const stopDeadlineMs = 10_000;

/**
 * Gives a short command its engines and closes them at the end. It logs to stderr, because stdout
 * is for the command's report, and only at LOG_LEVEL=debug, because the command reports failures
 * itself.
 */
export async function withTools<T>(
  config: Config,
  work: (engines: Engines) => Promise<T>,
): Promise<T> {
  const log = createLog({
    service: "instant",
    level: config.app.logLevel === "debug" ? "debug" : "silent",
    write: (line) => process.stderr.write(line),
  });
  const group = new ServiceGroup({ log, stopDeadlineMs });
  try {
    return await work(new Engines(config, log, group));
  } finally {
    await group.stop();
  }
}

export interface AuthStores {
  readonly codes: CodeStore;
  readonly limits: Limits;
  readonly sessions: SessionStore;
  readonly users: UserStore;
}

/** The stores of serve-auth, each on the engine that is configured. */
export async function openAuthStores(engines: Engines): Promise<AuthStores> {
  const [stores, users] = await Promise.all([openSignInStores(engines), openUsers(engines)]);
  return { ...stores, users };
}

export async function openSignInStores(engines: Engines): Promise<Omit<AuthStores, "users">> {
  const { auth } = engines.config;
  const codes = { policy: resolveCodePolicy(auth) };
  const sessions = { policy: resolveSessionPolicy(auth) };
  const redis = await engines.redis();
  if (redis !== undefined) {
    const { openRedisCodeStore } = await import("../auth/codes/redis.ts");
    const { openRedisLimits } = await import("../auth/limits/redis.ts");
    const { openRedisSessionStore } = await import("../auth/sessions/redis.ts");
    return {
      codes: openRedisCodeStore(redis, codes),
      limits: openRedisLimits(redis),
      sessions: openRedisSessionStore(redis, sessions),
    };
  }
  const { openSqliteCodeStore } = await import("../auth/codes/sqlite.ts");
  const { openSqliteLimits } = await import("../auth/limits/sqlite.ts");
  const { openSqliteSessionStore } = await import("../auth/sessions/sqlite.ts");
  const state = await engines.file("state");
  return {
    codes: await openSqliteCodeStore(state, codes),
    limits: await openSqliteLimits(state),
    sessions: await openSqliteSessionStore(state, sessions),
  };
}

async function openUsers(engines: Engines): Promise<UserStore> {
  const postgres = await engines.postgres();
  if (postgres !== undefined) {
    const { openPostgresUserStore } = await import("../auth/users/postgres.ts");
    return openPostgresUserStore(postgres);
  }
  const { openSqliteUserStore } = await import("../auth/users/sqlite.ts");
  return openSqliteUserStore(await engines.file("users"));
}

export interface RecipientStores {
  readonly preferences: PreferenceStore;
  readonly suppressions: SuppressionStore;
}

/** The stores about recipients, whether or not they are users. Opened once. */
export function openRecipientStores(engines: Engines): Promise<RecipientStores> {
  return engines.remember("recipient stores", () => open(engines));
}

async function open(engines: Engines): Promise<RecipientStores> {
  const postgres = await engines.postgres();
  if (postgres === undefined) {
    const { openSqlitePreferenceStore } = await import("../email/preferences/sqlite.ts");
    const { openSqliteSuppressionStore } = await import("../email/suppressions/sqlite.ts");
    const file = await engines.file("users");
    return {
      preferences: await openSqlitePreferenceStore(file),
      suppressions: await openSqliteSuppressionStore(file),
    };
  }
  const { openPostgresPreferenceStore } = await import("../email/preferences/postgres.ts");
  const { openPostgresSuppressionStore } = await import("../email/suppressions/postgres.ts");
  const [preferences, suppressions] = await Promise.all([
    openPostgresPreferenceStore(postgres),
    openPostgresSuppressionStore(postgres),
  ]);
  return { preferences, suppressions };
}

/** The log of a running service on standard output: JSON, or lines for a person at a terminal. */
export function openLog(service: string, { app }: Config): Log {
  const { logFormat, logLevel: level, environment } = app;
  const { stdout } = process;
  const isForPerson = stdout.isTTY && environment !== "production";
  if (logFormat === "json" || (logFormat === "auto" && !isForPerson)) {
    return createLog({ service, level });
  }
  const colour = stdout.isTTY && !process.env["NO_COLOR"];
  return createLog({
    service,
    level,
    write: (line) => stdout.write(formatLogLine(line, { colour })),
  });
}

/** How long closing connections may take after work in flight has drained. */
const closingMs = 10_000;

/** Runs a service until SIGTERM or SIGINT; resolves with the exit code. */
export function runService(
  service: string,
  config: Config,
  start: (engines: Engines, running: Running, log: Log) => Promise<void>,
): Promise<number> {
  const log = openLog(service, config);
  const stopDeadlineMs = config.http.stopDelayMs + config.email.drainMs + closingMs;
  return runUntilSignal((running) => start(new Engines(config, log, running.group), running, log), {
    log,
    stopDeadlineMs,
  });
}

/**
 * Listens, before the engines are open: the service passes its app to `serve` and then starts the
 * server in its group, so that it is stopped before them.
 */
export async function listen(
  service: "auth" | "email",
  { config }: Engines,
  { group }: Running,
  log: Log,
): Promise<EarlyServer> {
  const { app, auth, email, http } = config;
  const { idleTimeoutMs } = http;
  const server = openEarlyServer(
    service === "auth"
      ? {
          name: "sign-in API",
          portVariable: "AUTH_SERVICE_PORT",
          hostname: auth.bind,
          port: auth.port,
          idleTimeoutMs,
          stopDelayMs: app.environment === "production" ? http.stopDelayMs : 0,
          log,
        }
      : {
          name: "operations pages",
          portVariable: "EMAIL_SERVICE_PORT",
          hostname: email.serviceBind,
          port: email.servicePort,
          idleTimeoutMs,
          log,
        },
  );
  await server.start();
  return group.own(`${server.name}, starting`, server);
}

/** Connects side by side; probes are answered meanwhile, and wait while modules are loaded. */
export async function connect(engines: Engines): Promise<void> {
  await Promise.all([engines.redis(), openRecipientStores(engines)]);
}

/** The metrics registry of one service, with the metrics of the process. */
export function openServiceMetrics(engines: Engines, service: "auth" | "email"): Promise<Metrics> {
  return engines.once(`metrics of serve-${service}`, async () => {
    const { Metrics, openProcessMetrics } = await import("../core/metrics.ts");
    const metrics = new Metrics();
    const observed = openProcessMetrics(metrics);
    return Object.assign(metrics, {
      [Symbol.asyncDispose]: async () => observed[Symbol.dispose](),
    });
  });
}
