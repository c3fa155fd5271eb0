import { authFields, checkAuth } from "../auth/config.ts";
import type { ConfigProblem, Environment } from "../core/config.ts";
import { choiceField, flagField, parseConfig, textField } from "../core/config.ts";
import { Diagnosis } from "../core/diagnosis.ts";
import { coreErrors, isInstantError } from "../core/errors.ts";
import { checkHttp, httpFields } from "../core/http/server.ts";
import type { Log } from "../core/log.ts";
import { logLevels } from "../core/log.ts";
import { checkPostgres, postgresFields, resolvePostgres } from "../core/postgres/config.ts";
import { redisFields, resolveRedis } from "../core/redis/config.ts";
import { diagnoseNames } from "../doctor/settings.ts";
import { bounceFields, checkBounces } from "../email/bounces/config.ts";
import { checkEmail, emailFields, topicFields } from "../email/config.ts";
import { checkKafkaConfig, kafkaFields } from "../email/event-log/kafka/config.ts";
import { resolveSmtpServers, smtpFields } from "../email/mailer/smtp/config.ts";
import { opsFields } from "../email/ops/access.ts";
import { templateFields } from "../email/templates/overrides/overrides.ts";

/** The settings that belong to no room: which program this is and which engines it runs on. */
const appFields = {
  environment: choiceField({
    name: "APP_ENV",
    choices: ["development", "test", "production"],
    fallback: "development",
    doc: "`production` refuses to start while an engine, a secret or EMAIL_MODE=smtp is missing.",
  }),
  name: textField({
    name: "APP_NAME",
    charsMax: 100,
    fallback: "instant",
    doc: "The name shown in mails and on pages.",
  }),
  dataDirectory: textField({
    name: "DATA_DIR",
    fallback: ".instant",
    doc: "Directory of the embedded engines' files, of generated secrets and of unfinished replays. Created with mode 0700.",
  }),
  logLevel: choiceField({
    name: "LOG_LEVEL",
    choices: logLevels,
    fallback: "info",
    doc: "The lowest level that is logged.",
  }),
  logFormat: choiceField({
    name: "LOG_FORMAT",
    choices: ["auto", "json", "pretty"],
    fallback: "auto",
    doc: "`json` for machines, `pretty` for people. `auto`: pretty on a terminal outside production, otherwise json. NO_COLOR turns the colours off.",
  }),
  enableKafka: flagField({
    name: "ENABLE_KAFKA",
    fallback: "true",
    doc: "Whether serve-auth publishes to the event log. `false`: it delivers every mail directly, and serve-email may be stopped.",
  }),
  emailMode: choiceField({
    name: "EMAIL_MODE",
    choices: ["log", "smtp"],
    fallback: "log",
    doc: "`smtp` sends mails. `log` logs them and keeps the newest 1,000 in the inbox.",
  }),
} as const;

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

/** What variables were called before; one that is still set would be ignored, so it is a problem. */
const renamedVariables: Readonly<Record<string, string>> = {
  AUTH_CODES_IN_ALL: "AUTH_CODES_GLOBAL",
  AUTH_CODES_IN_ALL_WINDOW: "AUTH_CODES_GLOBAL_WINDOW",
  AUTH_TRIES_IN_ALL: "AUTH_ATTEMPTS_GLOBAL",
  AUTH_TRIES_IN_ALL_WINDOW: "AUTH_ATTEMPTS_GLOBAL_WINDOW",
  AUTH_TRIES_PER_CLIENT: "AUTH_ATTEMPTS_PER_CLIENT",
  AUTH_TRIES_PER_CLIENT_WINDOW: "AUTH_ATTEMPTS_PER_CLIENT_WINDOW",
  AUTH_TRIES_PER_EMAIL: "AUTH_ATTEMPTS_PER_EMAIL",
  AUTH_TRIES_WINDOW: "AUTH_ATTEMPTS_WINDOW",
  EMAIL_OUTAGE_HOLD: "EMAIL_OUTAGE_RETRY_FOR",
};

/** Throws `config_invalid` with every problem at once. */
export function loadConfig(environment: Environment, role?: Role): Config {
  return parseConfig(configGroups, environment, (values) => {
    const problems: ConfigProblem[] = Object.entries(renamedVariables)
      .filter(([former]) => environment[former])
      .map(([former, name]) => ({ name: former, problem: `was renamed: set ${name} instead` }));
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

/** One warning for each variable that is set in vain and looks like one of ours: KAFKA_BROKER. */
export function warnOfMistyped(environment: Environment, log: Log): void {
  const known = Object.values(configGroups).flatMap((group) =>
    Object.values(group).flatMap(({ name }) => [name, `${name}_FILE`]),
  );
  const diagnosis = new Diagnosis();
  diagnoseNames(diagnosis, environment, known);
  for (const { text, fix } of diagnosis.findings) log.warn({ fix }, text);
}

interface TriedConfig {
  /** Undefined when it does not parse at all. */
  readonly config: Config | undefined;
  /** What keeps at least one of the services from starting. */
  readonly problems: readonly ConfigProblem[];
}

/** Reads the settings as each of the services would, and collects what they would complain about. */
export function tryConfig(environment: Environment, roles: readonly Role[]): TriedConfig {
  const { config, problems } = tryOnce(environment);
  if (config === undefined) return { config, problems };
  const named = new Map<string, ConfigProblem>();
  for (const role of roles) {
    for (const problem of tryOnce(environment, role).problems) named.set(problem.name, problem);
  }
  return { config, problems: [...named.values()] };
}

function tryOnce(environment: Environment, role?: Role): TriedConfig {
  try {
    return { config: loadConfig(environment, role), problems: [] };
  } catch (error) {
    if (!isInstantError(error, coreErrors.configInvalid)) throw error;
    const problems = (error.details["problems"] ?? []) as readonly ConfigProblem[];
    return { config: undefined, problems };
  }
}

/** Every variable that means something; a secret also as the name of its file. */
export function knownVariables(): readonly string[] {
  return Object.values(configGroups)
    .flatMap((group) => Object.values(group))
    .flatMap(({ name, secret }) => (secret ? [name, `${name}_FILE`] : [name]));
}

/** How to set a variable that is missing. */
export function exampleOf(name: string): string {
  const fields = Object.values(configGroups).flatMap((group) => Object.values(group));
  const field = fields.find((each) => each.name === name);
  return field === undefined || field.example === "…"
    ? `${name}="$(openssl rand -base64 32)"`
    : `${name}=${field.example}`;
}

/** What must never be printed: the values of the secret settings, and the passwords in their URLs. */
export function secretTexts(config: Config): readonly string[] {
  const values: Readonly<Record<string, Readonly<Record<string, unknown>>>> = config;
  return Object.entries(configGroups).flatMap(([groupName, group]) =>
    Object.entries(group).flatMap(([key, { name, secret }]) => {
      const value = values[groupName]?.[key];
      if (!secret || typeof value !== "string") return [];
      return name.endsWith("_URL") ? passwordForms(new URL(value).password) : [value];
    }),
  );
}

/** As it stands in the URL, and as it is sent. */
function passwordForms(password: string): readonly string[] {
  if (password === "") return [];
  try {
    return [password, decodeURIComponent(password)];
  } catch {
    return [password]; // a lone % stands for itself
  }
}
