import { readFileSync } from "node:fs";
import { z } from "zod";
import { emailAddressBound, parseMailbox } from "./email-address.ts";
import type { ErrorRow } from "./errors.ts";
import { coreErrors, InstantError } from "./errors.ts";
import { formatGoDuration, parseGoDuration } from "./time.ts";

/**
 * One setting: an environment variable, how its text becomes a value, and its documentation. Modules
 * export groups of fields; `readConfig` reads them, and the docs are generated from them.
 */
export interface ConfigField<T> {
  readonly name: string;
  /** Parses the variable's text; the error states the bound. */
  readonly schema: z.ZodType<T, string>;
  /** Parsed like the variable's text; without one, the value is undefined when unset. */
  readonly fallback: string | undefined;
  /** The allowed values: "1 to 65535". */
  readonly bound: string;
  readonly example: string;
  /** Its description, in one or two sentences. */
  readonly doc: string;
  /** Never printed; may be read from the file that `NAME_FILE` names. */
  readonly secret: boolean;
}

export type ConfigGroup = Readonly<Record<string, ConfigField<unknown>>>;
export type ConfigValues<G extends ConfigGroup> = {
  readonly [K in keyof G]: G[K] extends ConfigField<infer T> ? T : never;
};

type Fallback = string | undefined;

interface FieldOptions<F extends Fallback> {
  readonly name: string;
  readonly doc: string;
  readonly example?: string;
  /** Parsed like the variable's text; without one, an unset or empty variable is undefined. */
  readonly fallback?: F;
}

/** The value's type includes undefined only when there is no fallback. */
type Field<T, F extends Fallback> = ConfigField<T | (F & undefined)>;

function field<T, F extends Fallback>(
  options: FieldOptions<F> & { readonly secret?: boolean },
  bound: string,
  example: string,
  schema: z.ZodType<T, string>,
): Field<T, F> {
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

function textField<F extends Fallback = undefined>(
  options: FieldOptions<F> & { readonly charsMax?: number },
): Field<string, F> {
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
function patternField<F extends Fallback = undefined>(
  options: FieldOptions<F> & { readonly pattern: RegExp; readonly shape: string },
): Field<string, F> {
  const schema = z.string().regex(options.pattern, `must be ${options.shape}`);
  return field(options, options.shape, "text", schema);
}

/** A secret of at least `charsMin` characters. */
function secretField(
  options: FieldOptions<undefined> & { readonly charsMin?: number },
): Field<string, undefined> {
  const charsMin = options.charsMin ?? 1;
  const bound = `${charsMin} to 4096 characters`;
  const schema = z.string().min(charsMin, `must be at least ${charsMin} characters`).max(4096);
  return field({ ...options, secret: true }, bound, "…", schema);
}

function integerField<F extends Fallback = undefined>(
  options: FieldOptions<F> & { readonly min: number; readonly max: number },
): Field<number, F> {
  const bound = `a whole number from ${options.min} to ${options.max}`;
  const schema = z
    .string()
    .regex(/^-?\d{1,15}$/, `must be ${bound}`)
    .transform(Number)
    .refine((value) => value >= options.min && value <= options.max, `must be ${bound}`);
  return field(options, bound, String(options.min), schema);
}

function portField<F extends Fallback = undefined>(options: FieldOptions<F>): Field<number, F> {
  return integerField({ ...options, min: 0, max: 65_535 });
}

/** `host:port`, with an IPv6 address in brackets; `portDefault` when the port is left out. */
function addressField(
  options: FieldOptions<undefined> & { readonly portDefault: number },
): Field<{ readonly host: string; readonly port: number }, undefined> {
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
function durationField<F extends Fallback = undefined>(
  options: FieldOptions<F> & { readonly minMs: number; readonly maxMs: number },
): Field<number, F> {
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

function choiceField<
  const C extends readonly [string, ...string[]],
  F extends Fallback = undefined,
>(options: FieldOptions<F> & { readonly choices: C }): Field<C[number], F> {
  const bound = `one of ${options.choices.join(", ")}`;
  const schema = z.string().refine((text): text is C[number] => options.choices.includes(text), {
    error: `must be ${bound}`,
  }) as z.ZodType<C[number], string>;
  return field(options, bound, options.choices[0], schema);
}

function flagField<F extends Fallback = undefined>(options: FieldOptions<F>): Field<boolean, F> {
  const schema = z
    .string()
    .regex(/^(true|false|1|0)$/, "must be true or false")
    .transform((text) => text === "true" || text === "1");
  return field(options, "true or false", "true", schema);
}

/** An e-mail address; its domain is converted to ASCII, its local part is kept as is. */
function mailboxField<F extends Fallback = undefined>(options: FieldOptions<F>): Field<string, F> {
  const schema = z.string().transform((text, context) => {
    const mailbox = parseMailbox(text);
    if (mailbox !== undefined) return mailbox;
    context.addIssue(`must be ${emailAddressBound}`);
    return z.NEVER;
  });
  return field(options, emailAddressBound, "ana@example.com", schema);
}

/** A comma-separated list; whitespace around items is ignored. */
function listField<F extends Fallback = undefined>(
  options: FieldOptions<F> & { readonly itemPattern: RegExp; readonly item: string },
): Field<string[], F> {
  // Several names are the allowed values, a single one is an example.
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

/** A URL with one of `protocols` ("redis:"). `explain` may describe a known mistake. */
function urlField(
  options: FieldOptions<undefined> & {
    readonly protocols: readonly string[];
    readonly secret?: boolean;
    readonly explain?: (text: string) => string | undefined;
  },
): Field<string, undefined> {
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

/**
 * "redis://a:1,b:2/0": a list of servers, as some clients accept it. A password may contain commas.
 */
export function namesSeveralHosts(url: string): boolean {
  return /^[a-z+-]+:\/\/(?:[^/?@]*@)?[^/?@]*,[^/?@]*(?:[/?]|$)/.test(url);
}

/** A row of a group, by the kind of its value: `setting.duration({ name, … })`. */
export const setting = {
  address: addressField,
  choice: choiceField,
  duration: durationField,
  flag: flagField,
  integer: integerField,
  list: listField,
  mailbox: mailboxField,
  pattern: patternField,
  port: portField,
  secret: secretField,
  text: textField,
  url: urlField,
} as const;

export type Environment = Readonly<Record<string, string | undefined>>;
export interface ConfigProblem {
  readonly name: string;
  /** The problem, the allowed values and an example; never the value of a secret. */
  readonly problem: string;
}

const secretFileBytesMax = 64 * 1024;

type ConfigOf<Gs extends Readonly<Record<string, ConfigGroup>>> = {
  readonly [K in keyof Gs]: ConfigValues<Gs[K]>;
};

/**
 * Reads every group from the environment. An empty variable counts as unset (a copied `.env.example`
 * has many). A variable with a problem is undefined, and all problems are pushed to `problems`.
 */
export function readConfig<const Gs extends Readonly<Record<string, ConfigGroup>>>(
  groups: Gs,
  environment: Environment,
  problems: ConfigProblem[],
): ConfigOf<Gs> {
  const valuesOf = (group: ConfigGroup) =>
    Object.entries(group).map(([key, each]) => [key, parseField(each, environment, problems)]);
  return Object.fromEntries(
    Object.entries(groups).map(([name, group]) => [name, Object.fromEntries(valuesOf(group))]),
  ) as ConfigOf<Gs>;
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
