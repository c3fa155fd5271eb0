import { readFileSync } from "node:fs";
import { coreErrors } from "../error-codes.ts";
import type { ErrorRow } from "../errors.ts";
import { InstantError } from "../errors.ts";
import type { ConfigField, ConfigGroup, ConfigValues } from "./field.ts";

export type Environment = Readonly<Record<string, string | undefined>>;
export interface ConfigProblem {
  readonly name: string;
  /** What is wrong, what is allowed and an example; never a secret's value. */
  readonly problem: string;
}

const secretFileBytesMax = 64 * 1024;

type ConfigOf<Gs extends Readonly<Record<string, ConfigGroup>>> = {
  readonly [K in keyof Gs]: ConfigValues<Gs[K]>;
};

/**
 * Reads every group from the environment. An empty variable counts as unset (a copied
 * `.env.example` has many). Throws `config_invalid` that lists every problem at once; `check` adds
 * those of settings that do not fit together.
 */
export function parseConfig<const Gs extends Readonly<Record<string, ConfigGroup>>>(
  groups: Gs,
  environment: Environment,
  check: (config: ConfigOf<Gs>) => readonly ConfigProblem[] = () => [],
): ConfigOf<Gs> {
  const problems: ConfigProblem[] = [];
  const read: Record<string, Record<string, unknown>> = {};
  for (const [groupName, group] of Object.entries(groups)) {
    const values: Record<string, unknown> = {};
    for (const [key, field] of Object.entries(group)) {
      values[key] = parseField(field, environment, problems);
    }
    read[groupName] = values;
  }
  const config = read as ConfigOf<Gs>;
  const named = new Set(problems.map(({ name }) => name)); // one that is wrong already says so
  problems.push(...check(config).filter(({ name }) => !named.has(name)));
  throwProblems(problems);
  return config;
}

/** Throws `config_invalid` (or `row`) when there is any problem; its `details.problems` has them all. */
export function throwProblems(
  problems: readonly ConfigProblem[],
  row: ErrorRow = coreErrors.configInvalid,
): void {
  if (problems.length === 0) return;
  const lines = problems.map(({ name, problem }) => `\n  ${name} ${problem}`);
  throw new InstantError(row, { detail: lines.join(""), details: { problems } });
}

function parseField(
  field: ConfigField<unknown>,
  environment: Environment,
  problems: ConfigProblem[],
): unknown {
  const text = readText(field, environment, problems) || field.fallback;
  if (text === undefined) return undefined;
  const parsed = field.schema.safeParse(text);
  if (parsed.success) return parsed.data;
  const reason = parsed.error.issues[0]?.message ?? `must be ${field.bound}`;
  const shown = field.secret ? "" : ` (it is ${JSON.stringify(text.slice(0, 80))})`;
  problems.push({
    name: field.name,
    problem: `${reason}${shown}; for example ${field.name}=${field.example}`,
  });
  return undefined;
}

function readText(
  field: ConfigField<unknown>,
  environment: Environment,
  problems: ConfigProblem[],
): string | undefined {
  const text = environment[field.name];
  const fileName = `${field.name}_FILE`;
  const path = field.secret ? environment[fileName] : undefined;
  if (!path) return text;
  if (text) {
    problems.push({ name: fileName, problem: `and ${field.name} are both set; keep one of them` });
    return undefined;
  }
  try {
    const content = readFileSync(path, "utf8").slice(0, secretFileBytesMax).trimEnd();
    if (content === "") problems.push({ name: fileName, problem: `names an empty file: ${path}` });
    return content;
  } catch {
    problems.push({ name: fileName, problem: `names a file that cannot be read: ${path}` });
    return undefined;
  }
}
