import { join } from "node:path";
import { emailChangesModule, usersModule } from "../auth/users/postgres.ts";
import type { Diagnosis } from "../core/diagnosis.ts";
import { domainOf } from "../core/email-address.ts";
import { silentLog } from "../core/log.ts";
import { addressOf } from "../core/postgres/config.ts";
import type { SchemaModule } from "../core/postgres/database.ts";
import { diagnosePostgres } from "../core/postgres/diagnose.ts";
import { redisAddress } from "../core/redis/config.ts";
import { diagnoseRedis } from "../core/redis/diagnose.ts";
import { diagnoseSqlite } from "../core/sqlite/database.ts";
import { diagnoseDataDirectory, diagnoseServicePort } from "../doctor/machine.ts";
import { diagnoseOrigins } from "../doctor/origins.ts";
import type { Check } from "../doctor/report.ts";
import { diagnoseSecrets, diagnoseSenderDomain, diagnoseSetup } from "../doctor/settings.ts";
import { eventBytesMax, topicSpecs } from "../email/event.ts";
import { diagnoseKafkaEventLog } from "../email/event-log/kafka/kafka-diagnose.ts";
import type { SmtpSubmission } from "../email/mailer/smtp/config.ts";
import { diagnoseSmtp } from "../email/mailer/smtp/diagnose.ts";
import { preferencesModule } from "../email/preferences/postgres.ts";
import { suppressionsModule } from "../email/suppressions/postgres.ts";
import { diagnoseTemplates } from "../email/templates/overrides/load-overrides.ts";
import type { Config, Role } from "./config.ts";
import { secretsOf, setupOf } from "./config.ts";
import { tryMailTemplates } from "./delivery.ts";

/** The modules that have tables in Postgres. */
export const schemaModules: readonly SchemaModule[] = [
  usersModule,
  emailChangesModule,
  preferencesModule,
  suppressionsModule,
];

/** Every check of what the services depend on, in the order of the report. */
export function composeChecks(config: Config, roles: readonly Role[]): readonly Check[] {
  const { app, email, auth } = config;
  const publishes = app.enableKafka || roles.includes("serve-email");
  const usesKafka = publishes && config.kafka.connection !== undefined;
  const redis = config.redis.connection;
  const postgres = config.postgres.connection;
  const { servers = [] } = config.smtp;
  return [
    {
      group: "Configuration",
      run: (diagnosis) => diagnoseSetup(setupOf(config, roles), diagnosis),
    },
    {
      group: "Configuration",
      run: (diagnosis) => diagnoseOrigins(config.http.boundary, diagnosis),
    },
    secretsCheck(config, roles),
    {
      group: "Data directory",
      about: app.dataDirectory,
      run: (diagnosis) => diagnoseDataDirectory(app.dataDirectory, diagnosis),
    },
    embeddedCheck(config, {
      events: publishes && !usesKafka,
      state: redis === undefined,
      users: postgres === undefined,
      inbox: servers.length === 0,
    }),
    publishes ? kafkaCheck(config) : directCheck,
    {
      group: "Redis",
      about: redis && redisAddress(redis),
      run: (diagnosis) => redis && diagnoseRedis(redis, diagnosis),
    },
    {
      group: "Postgres",
      about: postgres && addressOf(postgres),
      run: (diagnosis) => postgres && diagnosePostgres(postgres, schemaModules, diagnosis),
    },
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

function secretsCheck(config: Config, roles: readonly Role[]): Check {
  const { app, auth, email } = config;
  const isProduction = app.environment === "production";
  return {
    group: "Secrets",
    run: (diagnosis) => {
      // In production a weak one is a fault of the configuration already.
      diagnoseSecrets(diagnosis, secretsOf(config), isProduction);
      const generated = [
        ...(auth.secret === undefined && roles.includes("serve-auth") ? ["AUTH_SECRET"] : []),
        ...(email.secret === undefined ? ["EMAIL_SECRET"] : []),
      ];
      if (generated.length === 0 || isProduction) return; // it must be set then
      const [verb, what] =
        generated.length === 1 ? ["is", "a random one is"] : ["are", "random ones are"];
      const text = `${generated.join(" and ")} ${verb} not set: ${what} kept in DATA_DIR`;
      diagnosis.ok("secrets.made", text);
    },
  };
}

const directCheck: Check = {
  group: "Kafka",
  run: (diagnosis) => {
    diagnosis.ok("kafka.off", "ENABLE_KAFKA=false: serve-auth delivers every mail itself");
  },
};

function kafkaCheck({ topics, app, auth, email, kafka: { connection } }: Config): Check {
  const [events, deadLetters] = topicSpecs(topics);
  const settings = {
    log: silentLog,
    events,
    deadLetters,
    group: topics.group,
    retentionMsMin: auth.codeLifetimeMs,
    outageMs: email.outageRetryForMs,
    eventMsMax: auth.codeLifetimeMs,
    eventBytesMax,
    production: app.environment === "production",
  };
  return {
    group: "Kafka",
    about: connection?.brokers.join(", "),
    run: (diagnosis) => connection && diagnoseKafkaEventLog({ connection, ...settings }, diagnosis),
  };
}

/** Each server in order, then each sender's domain once. */
function mailChecks(servers: readonly SmtpSubmission[]): readonly Check[] {
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

const embeddedDescriptions = {
  events: "the event log",
  state: "the ledger, codes and sessions",
  users: "users and preferences",
  inbox: "mails, which are kept instead of sent (EMAIL_MODE=log)",
} as const;
type EmbeddedFile = keyof typeof embeddedDescriptions;

/** The engines that are local files, because no address of a real one is set. */
function embeddedCheck({ app }: Config, embedded: Readonly<Record<EmbeddedFile, boolean>>): Check {
  const names = (Object.keys(embeddedDescriptions) as EmbeddedFile[]).filter(
    (name) => embedded[name],
  );
  return {
    group: "Data directory",
    run: (diagnosis) => {
      if (names.length === 0) return;
      const descriptions = names.map((name) => embeddedDescriptions[name]).join("; ");
      diagnosis.ok("embedded", `In local files: ${descriptions}`);
      for (const name of names) {
        diagnoseSqlite(join(app.dataDirectory, `${name}.sqlite`), diagnosis);
      }
    },
  };
}
