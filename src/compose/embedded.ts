import type { Environment } from "../core/config/parse.ts";

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
