import { join } from "node:path";
import { usersModule } from "../auth/users/postgres.ts";
import type { Diagnosis } from "../core/diagnosis.ts";
import { silentLog } from "../core/log.ts";
import { resolvePostgres } from "../core/postgres/config.ts";
import { diagnosePostgres } from "../core/postgres/diagnose.ts";
import type { SchemaModule } from "../core/postgres/migrate.ts";
import type { PostgresOptions } from "../core/postgres/pool.ts";
import { addressOf } from "../core/postgres/pool.ts";
import type { RedisConnection } from "../core/redis/config.ts";
import { resolveRedis } from "../core/redis/config.ts";
import { diagnoseRedis } from "../core/redis/diagnose.ts";
import { diagnoseSqlite } from "../core/sqlite/database.ts";
import { diagnoseDataDirectory, diagnoseServicePort } from "../doctor/machine.ts";
import type { Check } from "../doctor/report.ts";
import { diagnoseSenderDomain } from "../doctor/sender-domain.ts";
import { diagnoseSecrets, diagnoseSetup } from "../doctor/settings.ts";
import { eventBytesMax, topicSpecs } from "../email/event.ts";
import { kafkaConnection } from "../email/event-log/kafka/config.ts";
import { diagnoseKafkaEventLog } from "../email/event-log/kafka/kafka-diagnose.ts";
import type { SmtpSubmission } from "../email/mailer/smtp/config.ts";
import { resolveSmtpServers } from "../email/mailer/smtp/config.ts";
import { diagnoseSmtp } from "../email/mailer/smtp/diagnose.ts";
import { preferencesModule } from "../email/preferences/postgres.ts";
import { suppressionsModule } from "../email/suppressions/postgres.ts";
import { diagnoseTemplates } from "../email/templates/overrides/load-overrides.ts";
import type { Config, Role } from "./config.ts";
import { tryMailTemplates } from "./mail-templates.ts";

/** The rooms that have tables in Postgres. */
export const schemaModules: readonly SchemaModule[] = [
  usersModule,
  preferencesModule,
  suppressionsModule,
];

/** Every check of what the services would run on, in the order in which a person reads them. */
export function composeChecks(config: Config, roles: readonly Role[]): readonly Check[] {
  const { app, email, auth } = config;
  const production = app.environment === "production";
  const publishes = app.enableKafka || roles.includes("serve-email");
  const kafka = publishes ? kafkaConnection(config.kafka) : undefined;
  const redis = resolveRedis(config.redis, []);
  const postgres = resolvePostgres(config.postgres);
  const servers = app.emailMode === "smtp" ? (resolveSmtpServers(config.smtp, []) ?? []) : [];
  const setup = {
    production,
    kafka: kafka !== undefined,
    redis: redis !== undefined,
    postgres: postgres !== undefined,
    sendsMails: servers.length > 0,
    hasSmtpServer: config.smtp.host !== undefined || config.smtp.urls !== undefined,
    hasPublicUrl: config.http.publicUrl !== undefined,
  };
  return [
    { group: "Configuration", run: (diagnosis) => diagnoseSetup(setup, diagnosis) },
    secretsCheck(config, roles),
    {
      group: "Data directory",
      about: app.dataDirectory,
      run: (diagnosis) => diagnoseDataDirectory(diagnosis, { path: app.dataDirectory }),
    },
    embeddedCheck(config, {
      events: publishes && kafka === undefined,
      state: redis === undefined,
      users: postgres === undefined,
      inbox: servers.length === 0,
    }),
    ...(publishes ? [] : [directCheck]),
    ...(kafka === undefined ? [] : [kafkaCheck(config, kafka)]),
    ...(redis === undefined ? [] : [redisCheck(redis)]),
    ...(postgres === undefined ? [] : [postgresCheck(postgres)]),
    ...mailChecks(servers),
    ...templateChecks(config),
    ...[
      { name: "serve-auth", port: auth.port, variable: "AUTH_SERVICE_PORT" } as const,
      { name: "serve-email", port: email.servicePort, variable: "EMAIL_SERVICE_PORT" } as const,
    ]
      .filter(({ name }) => roles.includes(name))
      .map((service): Check => {
        return { group: "Services", run: (diagnosis) => diagnoseServicePort(service, diagnosis) };
      }),
  ];
}

function secretsCheck({ app, auth, email, bounces, http }: Config, roles: readonly Role[]): Check {
  const secrets = {
    AUTH_SECRET: auth.secret,
    AUTH_SECRET_PREVIOUS: auth.secretPrevious,
    EMAIL_SECRET: email.secret,
    EMAIL_SECRET_PREVIOUS: email.secretPrevious,
    BOUNCE_SECRET: bounces.secret,
    METRICS_TOKEN: http.metricsToken,
  };
  return {
    group: "Secrets",
    run: (diagnosis) => {
      diagnoseSecrets(diagnosis, secrets);
      const made = [
        ...(auth.secret === undefined && roles.includes("serve-auth") ? ["AUTH_SECRET"] : []),
        ...(email.secret === undefined ? ["EMAIL_SECRET"] : []),
      ];
      if (made.length === 0 || app.environment === "production") return; // it must be set then
      const text = `${made.join(" and ")} not set: random ones are kept in DATA_DIR`;
      diagnosis.ok("secrets.made", text);
    },
  };
}

function kafkaCheck(
  config: Config,
  connection: NonNullable<ReturnType<typeof kafkaConnection>>,
): Check {
  const { topics, app, auth, email } = config;
  const [events, deadLetters] = topicSpecs(topics);
  return {
    group: "Kafka",
    about: connection.brokers.join(", "),
    run: (diagnosis) =>
      diagnoseKafkaEventLog(
        {
          connection,
          log: silentLog,
          events,
          deadLetters,
          group: topics.group,
          retentionMsMin: auth.codeLifetimeMs,
          outageMs: email.outageRetryForMs,
          eventMsMax: auth.codeLifetimeMs,
          eventBytesMax,
          production: app.environment === "production",
        },
        diagnosis,
      ),
  };
}

function redisCheck(connection: RedisConnection): Check {
  const about = `${connection.host}:${connection.port}/${connection.db}`;
  return { group: "Redis", about, run: (diagnosis) => diagnoseRedis(connection, diagnosis) };
}

function postgresCheck(options: PostgresOptions): Check {
  return {
    group: "Postgres",
    about: addressOf(options),
    run: (diagnosis) => diagnosePostgres(options, schemaModules, diagnosis),
  };
}

/** Each server in its order, then each sender's domain once. */
function mailChecks(servers: readonly SmtpSubmission[]): readonly Check[] {
  const domainOf = (address: string) => address.slice(address.lastIndexOf("@") + 1);
  const senders = new Map(
    servers.map(({ from, envelopeFrom = from, dkim }) => {
      const sender = { domain: domainOf(from), envelopeDomain: domainOf(envelopeFrom), dkim };
      return [`${sender.domain} ${sender.envelopeDomain}`, sender];
    }),
  );
  return [
    ...servers.map((server): Check => {
      const about = `${server.host}:${server.port}`;
      return { group: "SMTP", about, run: (diagnosis) => diagnoseSmtp(server, diagnosis) };
    }),
    ...[...senders.values()].map((sender): Check => {
      const about = sender.domain;
      const run = (diagnosis: Diagnosis) => diagnoseSenderDomain(sender, diagnosis);
      return { group: "Sender domain", about, run };
    }),
  ];
}

function templateChecks(config: Config): readonly Check[] {
  const { directory } = config.templates;
  if (directory === undefined) return [];
  const run = (diagnosis: Diagnosis) => {
    diagnoseTemplates(directory, tryMailTemplates(config).problems, diagnosis);
  };
  return [{ group: "Templates", about: directory, run }];
}

const directCheck: Check = {
  group: "Kafka",
  run: (diagnosis) => {
    diagnosis.ok("kafka.off", "ENABLE_KAFKA=false: serve-auth delivers every mail itself");
  },
};

const embeddedDescriptions = {
  events: "the event log",
  state: "the ledger, codes and sessions",
  users: "users and preferences",
  inbox: "mails, which are kept and not sent (EMAIL_MODE=log)",
} as const;
type EmbeddedFile = keyof typeof embeddedDescriptions;

/** The engines that are files of this machine, because no address is set for a real one. */
function embeddedCheck({ app }: Config, embedded: Readonly<Record<EmbeddedFile, boolean>>): Check {
  const names = (Object.keys(embeddedDescriptions) as EmbeddedFile[]).filter(
    (name) => embedded[name],
  );
  return {
    group: "Data directory",
    run: (diagnosis) => {
      if (names.length === 0) return;
      const descriptions = names.map((name) => embeddedDescriptions[name]).join("; ");
      diagnosis.ok("embedded", `Files of this machine: ${descriptions}`);
      for (const name of names) {
        diagnoseSqlite(join(app.dataDirectory, `${name}.sqlite`), diagnosis);
      }
    },
  };
}
