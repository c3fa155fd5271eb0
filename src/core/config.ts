import { readFileSync } from "node:fs";
import { z } from "zod";
import { emailAddressBound, parseMailbox } from "./email-address.ts";
import type { ErrorRow } from "./errors.ts";
import { coreErrors, InstantError } from "./errors.ts";
import { formatGoDuration, parseGoDuration } from "./time.ts";

/**
 * One setting: an environment variable, how its text becomes a value, and its documentation. Modules
 * export groups of fields; `parseConfig` reads them, and the docs are generated from them.
 */
export interface ConfigField<T> {
  readonly name: string;
  /** The variable's text → the value; its error states the bound. */
  readonly schema: z.ZodType<T, string>;
  /** Used as if it were the variable's text; none: the value is undefined when unset. */
  readonly fallback: string | undefined;
  /** What is allowed: "1 to 65535". */
  readonly bound: string;
  readonly example: string;
  /** What it does, in one or two sentences. */
  readonly doc: string;
  /** Never printed; may also be read from the file that `NAME_FILE` names. */
  readonly secret: boolean;
}

/** `T` includes undefined when the field has no fallback. */
export type ConfigGroup = Readonly<Record<string, ConfigField<unknown>>>;
export type ConfigValues<G extends ConfigGroup> = {
  readonly [K in keyof G]: G[K] extends ConfigField<infer T> ? T : never;
};

interface FieldOptions {
  readonly name: string;
  readonly doc: string;
  readonly example?: string;
}

type WithFallback = FieldOptions & { readonly fallback: string };

function field<T>(
  options: FieldOptions & { readonly fallback?: string; readonly secret?: boolean },
  bound: string,
  example: string,
  schema: z.ZodType<T, string>,
): ConfigField<T> {
  return {
    name: options.name,
    schema,
    fallback: options.fallback,
    bound,
    example: options.example ?? options.fallback ?? example,
    doc: options.doc,
    secret: options.secret ?? false,
  };
}

/** The same field, undefined when the variable is unset or empty. */
type Optional<T> = ConfigField<T | undefined>;

export function textField(
  options: FieldOptions & { fallback: string; charsMax?: number },
): ConfigField<string>;
export function textField(options: FieldOptions & { charsMax?: number }): Optional<string>;
export function textField(
  options: FieldOptions & { fallback?: string; charsMax?: number },
): ConfigField<string> {
  const charsMax = options.charsMax ?? 1000;
  const bound = `1 to ${charsMax} characters, no control characters`;
  const schema = z
    .string()
    .min(1)
    .max(charsMax, `must be at most ${charsMax} characters`)
    .refine((text) => !/\p{Cc}/u.test(text), "must have no control characters");
  return field(options, bound, "text", schema);
}

/** Text that matches `pattern`; `shape` describes it. */
export function patternField(
  options: WithFallback & { pattern: RegExp; shape: string },
): ConfigField<string>;
export function patternField(
  options: FieldOptions & { pattern: RegExp; shape: string },
): Optional<string>;
export function patternField(
  options: FieldOptions & { fallback?: string; pattern: RegExp; shape: string },
): ConfigField<string> {
  const schema = z.string().regex(options.pattern, `must be ${options.shape}`);
  return field(options, options.shape, "text", schema);
}

/** A secret of at least `charsMin` characters. */
export function secretField(options: FieldOptions & { charsMin?: number }): Optional<string> {
  const charsMin = options.charsMin ?? 1;
  const bound = `${charsMin} to 4096 characters`;
  const schema = z.string().min(charsMin, `must be at least ${charsMin} characters`).max(4096);
  return field({ ...options, secret: true }, bound, "…", schema);
}

export function integerField(
  options: WithFallback & { min: number; max: number },
): ConfigField<number> {
  const bound = `a whole number from ${options.min} to ${options.max}`;
  const schema = z
    .string()
    .regex(/^-?\d{1,15}$/, `must be ${bound}`)
    .transform(Number)
    .refine((value) => value >= options.min && value <= options.max, `must be ${bound}`);
  return field(options, bound, String(options.min), schema);
}

export function portField(options: WithFallback): ConfigField<number> {
  return integerField({ ...options, min: 0, max: 65_535 });
}

interface NetworkAddress {
  readonly host: string;
  readonly port: number;
}

/** `host:port`, with an IPv6 address in brackets; `portDefault` when the port is left out. */
export function addressField(
  options: FieldOptions & { portDefault: number },
): Optional<NetworkAddress> {
  const bound = `host:port, such as localhost:${options.portDefault} or [::1]:${options.portDefault}`;
  const schema = z.string().transform((text, context) => {
    const match = /^(?:\[([0-9A-Fa-f:.]+)\]|([^\s:/@[\]]{1,255}))(?::(\d{1,5}))?$/.exec(text);
    const port = Number(match?.[3] ?? options.portDefault);
    if (match === null || port < 1 || port > 65_535) {
      context.addIssue(`must be ${bound}`);
      return z.NEVER;
    }
    return { host: match[1] ?? match[2] ?? "", port };
  });
  return field(options, bound, `localhost:${options.portDefault}`, schema);
}

/** Milliseconds from a duration in Go's notation. */
export function durationField(
  options: WithFallback & { minMs: number; maxMs: number },
): ConfigField<number> {
  const bound = `a duration from ${formatGoDuration(options.minMs)} to ${formatGoDuration(options.maxMs)}, such as 90s, 10m or 1h30m`;
  const schema = z.string().transform((text, context) => {
    const durationMs = parseGoDuration(text);
    if (durationMs === undefined || durationMs < options.minMs || durationMs > options.maxMs) {
      context.addIssue(`must be ${bound}`);
      return z.NEVER;
    }
    return durationMs;
  });
  return field(options, bound, "10m", schema);
}

export function choiceField<const C extends readonly [string, ...string[]]>(
  options: WithFallback & { choices: C },
): ConfigField<C[number]> {
  const bound = `one of ${options.choices.join(", ")}`;
  const schema = z.string().refine((text): text is C[number] => options.choices.includes(text), {
    error: `must be ${bound}`,
  }) as z.ZodType<C[number], string>;
  return field(options, bound, options.choices[0], schema);
}

export function flagField(options: WithFallback): ConfigField<boolean> {
  const schema = z
    .string()
    .regex(/^(true|false|1|0)$/, "must be true or false")
    .transform((text) => text === "true" || text === "1");
  return field(options, "true or false", "true", schema);
}

/** An e-mail address; its domain is converted to ASCII, its local part is kept as is. */
export function mailboxField(options: FieldOptions): Optional<string> {
  const schema = z.string().transform((text, context) => {
    const mailbox = parseMailbox(text);
    if (mailbox === undefined) context.addIssue(`must be ${emailAddressBound}`);
    return mailbox ?? z.NEVER;
  });
  return field(options, emailAddressBound, "ana@example.com", schema);
}

/** A comma-separated list; whitespace around items is ignored. */
export function listField(
  options: WithFallback & { itemPattern: RegExp; item: string },
): ConfigField<string[]>;
export function listField(
  options: FieldOptions & { itemPattern: RegExp; item: string },
): Optional<string[]>;
export function listField(
  options: FieldOptions & { fallback?: string; itemPattern: RegExp; item: string },
): ConfigField<string[]> {
  // several names are the choice itself, a single one is an example
  const items = options.item.includes(", ")
    ? `of ${options.item}`
    : `items such as ${options.item}`;
  const bound = `1 to 100 ${items}, separated by commas`;
  const schema = z
    .string()
    .transform((text) => text.split(",").map((item) => item.trim()))
    .refine(
      (items) => items.length <= 100 && items.every((item) => options.itemPattern.test(item)),
      `must be ${bound}`,
    );
  return field(options, bound, options.item, schema);
}

/**
 * A URL with one of `protocols` ("redis:"). `explain` may describe a known mistake in its own words.
 */
export function urlField(
  options: FieldOptions & {
    protocols: readonly string[];
    secret?: boolean;
    explain?: (text: string) => string | undefined;
  },
): Optional<string> {
  const bound = `a URL that starts with ${options.protocols.map((p) => `${p}//`).join(" or ")}`;
  const schema = z
    .string()
    .max(2048)
    .superRefine((text, context) => {
      const problem = options.explain?.(text);
      const isUrl = URL.canParse(text) && options.protocols.includes(new URL(text).protocol);
      if (problem !== undefined) context.addIssue(problem);
      else if (!isUrl) context.addIssue(`must be ${bound}`);
    });
  return field(options, bound, `${options.protocols[0]}//…`, schema);
}

export type Environment = Readonly<Record<string, string | undefined>>;
export interface ConfigProblem {
  readonly name: string;
  /** What is wrong, what is allowed, and an example; never the value of a secret. */
  readonly problem: string;
}

const secretFileBytesMax = 64 * 1024;

type ConfigOf<Gs extends Readonly<Record<string, ConfigGroup>>> = {
  readonly [K in keyof Gs]: ConfigValues<Gs[K]>;
};

/**
 * Reads every group from the environment. An empty variable counts as unset (a copied `.env.example`
 * has many). Throws one `config_invalid` with all problems; `check` adds those between settings.
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
  const named = new Set(problems.map(({ name }) => name)); // already reported
  problems.push(...check(config).filter(({ name }) => !named.has(name)));
  throwProblems(problems);
  return config;
}

/** Throws `config_invalid` (or `row`) if there are problems, all of them in `details.problems`. */
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

/**
 * The PEM text of the file named by the variable `name`: certificate authorities to trust instead of
 * the public ones. When unusable, undefined, and the reason is added to `problems`.
 */
export function readAuthorities(
  name: string,
  path: string,
  problems: ConfigProblem[],
): string | undefined {
  try {
    const pem = readFileSync(path, "utf8");
    if (pem.includes("-----BEGIN CERTIFICATE-----")) return pem;
    problems.push({ name, problem: `names a file without a certificate: ${path}` });
  } catch {
    problems.push({ name, problem: `names a file that cannot be read: ${path}` });
  }
  return undefined;
}
