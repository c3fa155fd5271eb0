import { authFields, checkAuth } from "../auth/config.ts";
import type { ConfigProblem, Environment } from "../core/config/parse.ts";
import { parseConfig } from "../core/config/parse.ts";
import { checkHttp, httpFields } from "../core/http/config.ts";
import { checkKafkaConfig, kafkaFields } from "../core/kafka/config.ts";
import { checkPostgres, postgresFields, resolvePostgres } from "../core/postgres/config.ts";
import { redisFields, resolveRedis } from "../core/redis/config.ts";
import { resolveSmtpServers, smtpFields } from "../core/smtp/config.ts";
import { bounceFields, checkBounces } from "../email/bounces/config.ts";
import { checkEmail, emailFields, topicFields } from "../email/config.ts";
import { opsFields } from "../email/ops/config.ts";
import { templateFields } from "../email/templates/config.ts";
import { appFields } from "./app-fields.ts";

/** Every setting there is: the rooms' rows, joined. The docs are generated from them, in this order. */
export const configGroups = {
  app: appFields,
  auth: authFields,
  http: httpFields,
  email: emailFields,
  ops: opsFields,
  bounces: bounceFields,
  templates: templateFields,
  topics: topicFields,
  kafka: kafkaFields,
  redis: redisFields,
  postgres: postgresFields,
  smtp: smtpFields,
} as const;

export type Config = ReturnType<typeof parseConfig<typeof configGroups>>;

/** Which process the settings are for: production asks each for the engines it would use. */
export type Role = "serve-auth" | "serve-email";

/** Throws `config_invalid` with every problem at once. */
export function loadConfig(environment: Environment, role?: Role): Config {
  return parseConfig(configGroups, environment, (values) => {
    const problems: ConfigProblem[] = [];
    resolveRedis(values.redis, problems);
    problems.push(...checkKafkaConfig(values.kafka), ...checkPostgres(values.postgres));
    problems.push(...checkAuth(values.auth), ...checkHttp(values.http));
    problems.push(...checkBounces(values.bounces), ...checkEmail(values.email));
    if (values.app.emailMode === "smtp") resolveSmtpServers(values.smtp, problems);
    if (values.app.environment === "production" && role !== undefined) {
      problems.push(...checkProduction(values, role));
    }
    return problems;
  });
}

/** Production runs on nothing that is embedded, made up or only logged. */
function checkProduction(values: Config, role: Role): ConfigProblem[] {
  const { app, auth, email, kafka, redis, postgres } = values;
  const missing: string[] = [];
  const publishes = role === "serve-email" || app.enableKafka;
  if (publishes && kafka.brokers === undefined) missing.push("KAFKA_BROKERS");
  if (resolveRedis(redis, []) === undefined) missing.push("REDIS_URL");
  if (email.secret === undefined) missing.push("EMAIL_SECRET");
  if (resolvePostgres(postgres) === undefined) missing.push("DATABASE_URL");
  if (role === "serve-auth" && auth.secret === undefined) missing.push("AUTH_SECRET");
  const problems = missing.map((name) => ({
    name,
    problem: `must be set because APP_ENV is production`,
  }));
  if (app.emailMode !== "smtp") {
    problems.push({ name: "EMAIL_MODE", problem: "must be smtp because APP_ENV is production" });
  }
  return problems;
}
