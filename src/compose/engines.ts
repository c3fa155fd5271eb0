import { join } from "node:path";
import type { Environment } from "../core/config.ts";
import type { Log } from "../core/log.ts";
import { createLog } from "../core/log.ts";
import { resolvePostgres } from "../core/postgres/config.ts";
import type { PostgresDatabase } from "../core/postgres/database.ts";
import { openPostgres } from "../core/postgres/database.ts";
import type { RedisClient } from "../core/redis/client.ts";
import { openRedis } from "../core/redis/client.ts";
import { resolveRedis } from "../core/redis/config.ts";
import { warnOfEviction } from "../core/redis/diagnose.ts";
import { ServiceGroup } from "../core/service.ts";
import type { SqliteDatabase } from "../core/sqlite/database.ts";
import { openSqlite } from "../core/sqlite/database.ts";
import type { EventLog } from "../email/event-log/event-log.ts";
import { kafkaConnection } from "../email/event-log/kafka/config.ts";
import { openKafkaEventLog } from "../email/event-log/kafka/kafka.ts";
import { openSqliteEventLog } from "../email/event-log/sqlite/sqlite.ts";
import type { DeliveryLedger } from "../email/ledger/delivery-ledger.ts";
import { openRedisDeliveryLedger } from "../email/ledger/redis.ts";
import { openSqliteDeliveryLedger } from "../email/ledger/sqlite.ts";
import type { Inbox } from "../email/mailer/inbox/inbox.ts";
import { openInbox, openInboxMailer } from "../email/mailer/inbox/inbox.ts";
import type { Mailer } from "../email/mailer/mailer.ts";
import type { SmtpRateChange } from "../email/mailer/smtp/config.ts";
import { resolveSmtpServers } from "../email/mailer/smtp/config.ts";
import { openSmtpMailer } from "../email/mailer/smtp/smtp.ts";
import type { RecentMails } from "../email/recent-mails/recent-mails.ts";
import { openRedisRecentMails } from "../email/recent-mails/redis.ts";
import { openSqliteRecentMails } from "../email/recent-mails/sqlite.ts";
import type { Config } from "./config.ts";
import { emailSecret } from "./secrets.ts";

/** The embedded engines' files in DATA_DIR; rooms that are used together share one. */
type EmbeddedFile = "events" | "state" | "users" | "inbox";

/**
 * Opens each engine when it is first asked for, once, on what its address says: the real one, or a
 * file. The group owns what was opened.
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

  /** `make` runs once per name; for what needs no end. */
  remember<R>(name: string, make: () => R): R {
    if (!this.#remembered.has(name)) this.#remembered.set(name, make());
    return this.#remembered.get(name) as R;
  }

  eventLog(): Promise<EventLog> {
    return this.once("event log", async () => {
      const connection = kafkaConnection(this.config.kafka);
      if (connection !== undefined) {
        const { sessionTimeoutMs } = this.config.kafka;
        return openKafkaEventLog({ connection, log: this.log, timings: { sessionTimeoutMs } });
      }
      return openSqliteEventLog(await this.file("events"), { log: this.log });
    });
  }

  ledger(): Promise<DeliveryLedger> {
    return this.once("delivery ledger", async () => {
      const redis = await this.redis();
      if (redis !== undefined) return openRedisDeliveryLedger({ redis });
      return openSqliteDeliveryLedger({ database: await this.file("state") });
    });
  }

  /** Which mails a recipient got lately, beside the ledger. */
  recentMails(): Promise<RecentMails & AsyncDisposable> {
    return this.once("recent mails", async () => {
      const { config } = this;
      const secrets = { current: emailSecret(config), previous: config.email.secretPrevious };
      const redis = await this.redis();
      const recent =
        redis === undefined
          ? await openSqliteRecentMails({ database: await this.file("state"), secrets })
          : openRedisRecentMails({ redis, secrets });
      return Object.assign(recent, { [Symbol.asyncDispose]: () => recent.settled() });
    });
  }

  /** One for each SMTP server, in the order of preference; or the inbox. */
  mailers(): Promise<readonly Mailer[]> {
    const { app, smtp } = this.config;
    const servers = app.emailMode === "smtp" ? resolveSmtpServers(smtp, []) : undefined;
    if (servers !== undefined) {
      const onRateChange = (change: SmtpRateChange) => logRateChange(this.log, change);
      return Promise.all(
        servers.map((server, index) =>
          this.once(`mailer ${index + 1}`, () => openSmtpMailer({ ...server, onRateChange })),
        ),
      );
    }
    const inbox = this.once("mailer", async () => {
      const log = app.environment === "production" ? undefined : this.log;
      return openInboxMailer({ database: await this.file("inbox"), from: smtp.from, log });
    });
    return inbox.then((mailer) => [mailer]);
  }

  /** What EMAIL_MODE=log kept. */
  async inbox(): Promise<Inbox> {
    return openInbox({ database: await this.file("inbox") });
  }

  /** Undefined when no address is set. */
  async redis(): Promise<RedisClient | undefined> {
    const connection = resolveRedis(this.config.redis, []);
    if (connection === undefined) return undefined;
    return this.once("redis", async () => {
      const redis = await openRedis({ connection, log: this.log });
      await warnOfEviction(redis, this.log);
      return redis;
    });
  }

  /** Undefined when no address is set. */
  async postgres(): Promise<PostgresDatabase | undefined> {
    const options = resolvePostgres(this.config.postgres);
    return options && this.once("postgres", () => openPostgres(options));
  }

  file(name: EmbeddedFile): Promise<SqliteDatabase> {
    const path = join(this.config.app.dataDirectory, `${name}.sqlite`);
    // What nobody is sent may be lost with the machine; it would be the slowest part of the log mode.
    const durability = name === "inbox" ? "process_end" : "power_loss";
    return this.once(`${name} file`, () => openSqlite(path, { durability }));
  }
}

/** Once per change, not per mail; the rate in between is a metric. */
function logRateChange(log: Log, change: SmtpRateChange): void {
  const { host: smtpHost, perSecond } = change;
  if (change.kind === "free") log.info({ smtpHost, perSecond }, "Sending rate restored");
  else log.warn({ smtpHost, perSecond, reply: change.reply }, "Sending slowed down");
}

/** Every variable that names an engine elsewhere, or a mode that needs one. */
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

/** The environment for embedded engines alone, and which set variables that leaves out. */
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
 * Gives a short command the engines it asks for and closes them at the end. Its log is quiet below
 * warnings and goes to stderr, because stdout is the command's report.
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
