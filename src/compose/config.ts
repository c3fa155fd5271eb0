// Every setting of the program: read once, checked together, with what follows from them.
import { mkdirSync, readFileSync, writeFileSync } from "node:fs";
import { join } from "node:path";
import { authFields, checkAuth } from "../auth/config.ts";
import type { ConfigField, ConfigProblem, Environment } from "../core/config.ts";
import { readConfig, setting, throwProblems } from "../core/config.ts";
import { coreErrors, errorMessage, InstantError } from "../core/errors.ts";
import { httpFields, resolveHttp } from "../core/http/app.ts";
import type { Log } from "../core/log.ts";
import { logLevels } from "../core/log.ts";
import { postgresFields, resolvePostgres } from "../core/postgres/config.ts";
import { redisFields, resolveRedis } from "../core/redis/config.ts";
import { findWeakSecrets, newSecret, randomToken } from "../core/secret.ts";
import { bounceFields, checkBounces, resolveBounces } from "../email/bounces/config.ts";
import { checkEmail, emailFields, templateFields, topicFields } from "../email/config.ts";
import { checkKafkaConfig, kafkaConnection, kafkaFields } from "../email/event-log/kafka/config.ts";
import { resolveSmtpServers, smtpFields } from "../email/mailer/smtp/config.ts";
import { opsFields } from "../email/ops/access.ts";

/** Settings that belong to no module: the environment, and which engines are used. */
const appFields = {
  environment: setting.choice({
    name: "APP_ENV",
    choices: ["development", "test", "production"],
    fallback: "development",
    doc: "`production` refuses to start while an engine, a secret or EMAIL_MODE=smtp is missing, or a secret can be guessed.",
  }),
  name: setting.text({
    name: "APP_NAME",
    charsMax: 100,
    fallback: "instant",
    doc: "The name shown in mails and on pages.",
  }),
  dataDirectory: setting.text({
    name: "DATA_DIR",
    fallback: ".instant",
    doc: "Directory of the embedded engines' files, of generated secrets and of unfinished replays. Created with mode 0700.",
  }),
  logLevel: setting.choice({
    name: "LOG_LEVEL",
    choices: logLevels,
    fallback: "info",
    doc: "The lowest level that is logged.",
  }),
  logFormat: setting.choice({
    name: "LOG_FORMAT",
    choices: ["auto", "json", "pretty"],
    fallback: "auto",
    doc: "`json` for machines, `pretty` for people. `auto`: pretty on a terminal outside production, otherwise json. NO_COLOR turns the colours off.",
  }),
  enableKafka: setting.flag({
    name: "ENABLE_KAFKA",
    fallback: "true",
    doc: "Whether serve-auth publishes to the event log. `false`: it delivers every mail directly, and serve-email may be stopped.",
  }),
  emailMode: setting.choice({
    name: "EMAIL_MODE",
    choices: ["log", "smtp"],
    fallback: "log",
    doc: "`smtp` sends mails. `log` logs them and keeps the newest 1,000 in the inbox.",
  }),
} as const;

/** Every setting there is, by module. The docs are generated from them, in this order. */
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

type Settings = ReturnType<typeof readConfig<typeof configGroups>>;

/** The settings, with the values derived from them. */
export type Config = ReturnType<typeof resolve>;

/** Which service the settings are for: production requires the engines and secrets it uses. */
export type Role = "serve-auth" | "serve-email";

/** Former names of variables. One that is still set would be ignored, so it is a problem. */
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
  const { config, problems } = tryConfig(environment, role === undefined ? [] : [role]);
  throwProblems(problems);
  if (config === undefined) throw new Error("an invalid configuration has problems");
  return config;
}

interface TriedConfig {
  /**
   * Undefined when no service could run with it; settings that only production requires may be
   * missing.
   */
  readonly config: Config | undefined;
  /** The problems that keep at least one service from starting. */
  readonly problems: readonly ConfigProblem[];
}

/** Reads the settings once, as each of the services would, with everything they would reject. */
export function tryConfig(environment: Environment, roles: readonly Role[]): TriedConfig {
  const problems = Object.entries(renamedVariables)
    .filter(([former]) => environment[former])
    .map(([former, name]) => ({ name: former, problem: `was renamed; set ${name} instead` }));
  const add = (found: readonly ConfigProblem[]) => {
    const reported = new Set(problems.map(({ name }) => name));
    problems.push(...found.filter(({ name }) => !reported.has(name)));
  };
  const settings = readConfig(configGroups, environment, problems);
  const between: ConfigProblem[] = [];
  const config = resolve(settings, between);
  add(between);
  const isUsable = problems.length === 0;
  if (config.app.environment === "production") add(checkProduction(config, roles));
  return { config: isUsable ? config : undefined, problems };
}

/**
 * Derives what the programs use from the settings. Settings that do not fit together are pushed to
 * `problems`.
 */
function resolve(settings: Settings, problems: ConfigProblem[]) {
  const { app, auth, http, email, bounces, kafka, redis, postgres, smtp } = settings;
  problems.push(...checkAuth(auth), ...checkEmail(email));
  problems.push(...checkBounces(bounces), ...checkKafkaConfig(kafka));
  const sendsMails = app.emailMode === "smtp";
  return {
    ...settings,
    http: { ...http, boundary: resolveHttp(http, problems) },
    bounces: { ...bounces, reporters: resolveBounces(bounces) },
    kafka: { ...kafka, connection: kafkaConnection(kafka) },
    redis: { ...redis, connection: resolveRedis(redis, problems) },
    postgres: { ...postgres, connection: resolvePostgres(postgres, problems) },
    /** Undefined: mails are logged and kept in the inbox. */
    smtp: { ...smtp, servers: sendsMails ? resolveSmtpServers(smtp, problems) : undefined },
  };
}

/** In production no engine may be embedded, no secret generated, and no mail only logged. */
function checkProduction(config: Config, roles: readonly Role[]): ConfigProblem[] {
  if (roles.length === 0) return [];
  const { app, auth, email, kafka, redis, postgres } = config;
  const usesKafka = roles.includes("serve-email") || app.enableKafka;
  const required: Readonly<Record<string, unknown>> = {
    ...(usesKafka ? { KAFKA_BROKERS: kafka.connection } : {}),
    REDIS_URL: redis.connection,
    EMAIL_SECRET: email.secret,
    DATABASE_URL: postgres.connection,
    ...(roles.includes("serve-auth") ? { AUTH_SECRET: auth.secret } : {}),
  };
  const because = "because APP_ENV is production";
  const problems = Object.entries(required)
    .filter(([, value]) => value === undefined)
    .map(([name]) => ({ name, problem: `must be set ${because}` }));
  if (app.emailMode !== "smtp") {
    problems.push({ name: "EMAIL_MODE", problem: `must be smtp ${because}` });
  }
  for (const { name, problem, fix } of findWeakSecrets(secretsOf(config))) {
    problems.push({ name, problem: `${problem}; ${fix}` });
  }
  return problems;
}

/** The secrets that the operator makes, by their variables; passwords of other servers are not ours. */
export function secretsOf({ auth, email, ops, bounces, http }: Settings) {
  return {
    AUTH_SECRET: auth.secret,
    AUTH_SECRET_PREVIOUS: auth.secretPrevious,
    EMAIL_SECRET: email.secret,
    EMAIL_SECRET_PREVIOUS: email.secretPrevious,
    OPS_TOKEN: ops.token,
    BOUNCE_SECRET: bounces.secret,
    BOUNCE_POSTMARK_PASSWORD: bounces.postmarkPassword,
    METRICS_TOKEN: http.metricsToken,
  } as const;
}

/** What `diagnoseSetup` looks at. */
export function setupOf(
  { app, http, ops, kafka, redis, postgres, smtp }: Config,
  roles: readonly Role[],
) {
  return {
    production: app.environment === "production",
    kafka: (app.enableKafka || roles.includes("serve-email")) && kafka.connection !== undefined,
    redis: redis.connection !== undefined,
    postgres: postgres.connection !== undefined,
    sendsMails: (smtp.servers ?? []).length > 0,
    hasSmtpServer: smtp.host !== undefined || smtp.urls !== undefined,
    publicUrl: http.publicUrl,
    trustedProxies: http.trustedProxies ?? [],
    lacksOpsToken: roles.includes("serve-email") && ops.token === undefined,
  };
}

const allFields = Object.values(configGroups).flatMap((group): ConfigField<unknown>[] =>
  Object.values(group),
);

/** Every known variable; for a secret also NAME_FILE. */
export function knownVariables(): readonly string[] {
  return allFields.flatMap(({ name, secret }) => (secret ? [name, `${name}_FILE`] : [name]));
}

/**
 * One warning for each setting that a service starts with although it is wrong (see `diagnoseSetup`),
 * for each origin whose pages cannot use the cookie of serve-auth, and for each variable that has no
 * effect but looks like a known one: KAFKA_BROKER.
 */
export async function warnOfSettings(
  environment: Environment,
  config: Config,
  roles: readonly Role[],
  log: Log,
): Promise<void> {
  const { Diagnosis } = await import("../core/diagnosis.ts");
  const { diagnoseNames, diagnoseSetup } = await import("../doctor/settings.ts");
  const { diagnoseOrigins } = await import("../doctor/origins.ts");
  const [setup, others] = [new Diagnosis(), new Diagnosis()];
  diagnoseSetup(setupOf(config, roles), setup);
  if (roles.includes("serve-auth")) diagnoseOrigins(config.http.boundary, others);
  diagnoseNames(others, environment, knownVariables());
  const faults = setup.findings.filter(({ level }) => level === "fault");
  for (const { text, fix } of [...faults, ...others.findings]) log.warn({ fix }, text);
}

/** How to set a variable that is missing. */
export function exampleOf(name: string): string {
  const field = allFields.find((each) => each.name === name);
  return field === undefined || field.example === "…"
    ? `${name}="$(${newSecret})"`
    : `${name}=${field.example}`;
}

/** What must never be printed: the values of secret settings, and passwords in URLs. */
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

/** Both as escaped in the URL and unescaped. */
function passwordForms(password: string): readonly string[] {
  if (password === "") return [];
  try {
    return [password, decodeURIComponent(password)];
  } catch {
    return [password]; // a lone % is a literal one
  }
}

/** The current key, and the previous one, whose signatures are still accepted. */
export interface Secrets {
  readonly current: string;
  readonly previous: string | undefined;
}

export function authSecrets({ auth, app }: Config): Secrets {
  const current = auth.secret ?? loadOrCreateSecret(app.dataDirectory, "auth");
  return { current, previous: auth.secretPrevious };
}

export function emailSecrets({ email, app }: Config): Secrets {
  const current = email.secret ?? loadOrCreateSecret(app.dataDirectory, "email");
  return { current, previous: email.secretPrevious };
}

/**
 * The secret of this data directory, for one that is not set (production requires it). Created on
 * first use (256 bits, mode 0600) and stable from then on, also for processes that start together.
 */
function loadOrCreateSecret(dataDirectory: string, name: string): string {
  const path = join(dataDirectory, `${name}.secret`);
  try {
    mkdirSync(dataDirectory, { recursive: true, mode: 0o700 });
    return readSecret(path) ?? createSecret(path);
  } catch (error) {
    throw new InstantError(coreErrors.configInvalid, {
      detail: `DATA_DIR cannot be used: ${errorMessage(error)}`,
      cause: error,
    });
  }
}

function createSecret(path: string): string {
  try {
    // A single write of less than a block: another process sees all of it, or an empty file.
    writeFileSync(path, randomToken(32), { mode: 0o600, flag: "wx" });
  } catch (error) {
    if (!hasCode(error, "EEXIST")) throw error;
  }
  for (let attempts = 0; attempts < 100; attempts += 1) {
    const secret = readSecret(path);
    if (secret !== undefined) return secret;
    Bun.sleepSync(10);
  }
  throw new Error(`${path} is empty; remove it to have a new one created`);
}

function readSecret(path: string): string | undefined {
  try {
    return readFileSync(path, "utf8").trim() || undefined;
  } catch (error) {
    if (hasCode(error, "ENOENT")) return undefined;
    throw error;
  }
}

function hasCode(error: unknown, code: string): boolean {
  return error instanceof Error && "code" in error && error.code === code;
}
