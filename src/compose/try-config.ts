import type { ConfigProblem, Environment } from "../core/config/parse.ts";
import { coreErrors } from "../core/error-codes.ts";
import { isInstantError } from "../core/errors.ts";
import type { Config, Role } from "./config.ts";
import { configGroups, loadConfig } from "./config.ts";

export interface TriedConfig {
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
