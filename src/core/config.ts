import { readFileSync } from "node:fs";
import { addressProblem, emailAddressBound, parseMailbox } from "./email-address.ts";
import type { ErrorRow } from "./errors.ts";
import { coreErrors, InstantError } from "./errors.ts";
import { formatGoDuration, parseGoDuration } from "./time.ts";

/** What a variable's text means, or why it is invalid: the rest of a sentence about it. */
type Parsed<T> = { readonly value: T } | { readonly problem: string };

/**
 * One setting: an environment variable, how its text becomes a value, and its documentation. Modules
 * export groups of fields; `readConfig` reads them, and the docs are generated from them.
 */
export interface ConfigField<T> {
  readonly name: string;
  /** A problem states the bound. */
  readonly parse: (text: string) => Parsed<T>;
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

const secretCharsMax = 4096;
const urlCharsMax = 2048;

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
  parse: (text: string) => Parsed<T>,
): Field<T, F> {
  return {
    name: options.name,
    parse,
    fallback: options.fallback,
    bound,
    example: options.example ?? options.fallback ?? example,
    doc: options.doc,
    secret: options.secret ?? false,
  };
}

/** A field of `find`, which returns undefined for what is outside of the bound. */
function boundField<T, F extends Fallback>(
  options: FieldOptions<F>,
  bound: string,
  example: string,
  find: (text: string) => T | undefined,
): Field<T, F> {
  return field(options, bound, example, (text) => {
    const value = find(text);
    return value === undefined ? { problem: `must be ${bound}` } : { value };
  });
}

function textField<F extends Fallback = undefined>(
  options: FieldOptions<F> & { readonly charsMax?: number },
): Field<string, F> {
  const charsMax = options.charsMax ?? 1000;
  const bound = `1 to ${charsMax} characters, no control characters`;
  return field(options, bound, "text", (text) => {
    if (text === "") return { problem: `must be ${bound}` };
    if (text.length > charsMax) return { problem: `must be at most ${charsMax} characters` };
    return /\p{Cc}/u.test(text) ? { problem: "must have no control characters" } : { value: text };
  });
}

/** Text that matches `pattern`; `shape` describes it. */
function patternField<F extends Fallback = undefined>(
  options: FieldOptions<F> & { readonly pattern: RegExp; readonly shape: string },
): Field<string, F> {
  return boundField(options, options.shape, "text", (text) => {
    return options.pattern.test(text) ? text : undefined;
  });
}

/** A secret of at least `charsMin` characters. */
function secretField(
  options: FieldOptions<undefined> & { readonly charsMin?: number },
): Field<string, undefined> {
  const charsMin = options.charsMin ?? 1;
  const bound = `${charsMin} to ${secretCharsMax} characters`;
  return field({ ...options, secret: true }, bound, "…", (text) => {
    if (text.length < charsMin) return { problem: `must be at least ${charsMin} characters` };
    const isLong = text.length > secretCharsMax;
    return isLong ? { problem: `must be at most ${secretCharsMax} characters` } : { value: text };
  });
}

function integerField<F extends Fallback = undefined>(
  options: FieldOptions<F> & { readonly min: number; readonly max: number },
): Field<number, F> {
  const { min, max } = options;
  return boundField(options, `a whole number from ${min} to ${max}`, String(min), (text) => {
    const value = /^-?\d{1,15}$/.test(text) ? Number(text) : Number.NaN;
    return value >= min && value <= max ? value : undefined;
  });
}

function portField<F extends Fallback = undefined>(options: FieldOptions<F>): Field<number, F> {
  return integerField({ ...options, min: 0, max: 65_535 });
}

/** `host:port`, with an IPv6 address in brackets; `portDefault` when the port is left out. */
function addressField(
  options: FieldOptions<undefined> & { readonly portDefault: number },
): Field<{ readonly host: string; readonly port: number }, undefined> {
  const { portDefault } = options;
  const example = `localhost:${portDefault}`;
  const bound = `host:port, such as ${example} or [::1]:${portDefault}`;
  return boundField(options, bound, example, (text) => {
    const match = /^(?:\[([0-9A-Fa-f:.]+)\]|([^\s:/@[\]]{1,255}))(?::(\d{1,5}))?$/.exec(text);
    const port = Number(match?.[3] ?? portDefault);
    if (match === null || port < 1 || port > 65_535) return undefined;
    return { host: match[1] ?? match[2] ?? "", port };
  });
}

/** Milliseconds from a duration in Go's notation. */
function durationField<F extends Fallback = undefined>(
  options: FieldOptions<F> & { readonly minMs: number; readonly maxMs: number },
): Field<number, F> {
  const { minMs, maxMs } = options;
  const bound = `a duration from ${formatGoDuration(minMs)} to ${formatGoDuration(maxMs)}, such as 90s, 10m or 1h30m`;
  return boundField(options, bound, "10m", (text) => {
    const durationMs = parseGoDuration(text) ?? Number.NaN;
    return durationMs >= minMs && durationMs <= maxMs ? durationMs : undefined;
  });
}

function choiceField<
  const C extends readonly [string, ...string[]],
  F extends Fallback = undefined,
>(options: FieldOptions<F> & { readonly choices: C }): Field<C[number], F> {
  const { choices } = options;
  return boundField<C[number], F>(options, `one of ${choices.join(", ")}`, choices[0], (text) => {
    return choices.find((choice) => choice === text);
  });
}

function flagField<F extends Fallback = undefined>(options: FieldOptions<F>): Field<boolean, F> {
  return boundField(options, "true or false", "true", (text) => {
    if (text === "true" || text === "1") return true;
    return text === "false" || text === "0" ? false : undefined;
  });
}

/** An e-mail address, in the form to send from. */
function mailboxField<F extends Fallback = undefined>(options: FieldOptions<F>): Field<string, F> {
  return field(options, emailAddressBound, "ana@example.com", (text) => {
    const value = parseMailbox(text);
    return value === undefined ? { problem: addressProblem(text) } : { value };
  });
}

/** A comma-separated list; whitespace around items is ignored. */
function listField<F extends Fallback = undefined>(
  options: FieldOptions<F> & { readonly itemPattern: RegExp; readonly item: string },
): Field<string[], F> {
  const { item, itemPattern } = options;
  // Several names are the allowed values, a single one is an example.
  const items = item.includes(", ") ? `of ${item}` : `items such as ${item}`;
  return boundField(options, `1 to 100 ${items}, separated by commas`, item, (text) => {
    const found = text.split(",").map((each) => each.trim());
    return found.length <= 100 && found.every((each) => itemPattern.test(each)) ? found : undefined;
  });
}

/** A URL with one of `protocols` ("redis:"). `explain` may describe a known mistake. */
function urlField(
  options: FieldOptions<undefined> & {
    readonly protocols: readonly string[];
    readonly secret?: boolean;
    readonly explain?: (text: string) => string | undefined;
  },
): Field<string, undefined> {
  const { protocols, explain } = options;
  const bound = `a URL that starts with ${protocols.map((p) => `${p}//`).join(" or ")}`;
  return field(options, bound, `${protocols[0]}//…`, (text) => {
    if (text.length > urlCharsMax) return { problem: `must be at most ${urlCharsMax} characters` };
    const problem = explain?.(text);
    if (problem !== undefined) return { problem };
    const isUrl = URL.canParse(text) && protocols.includes(new URL(text).protocol);
    return isUrl ? { value: text } : { problem: `must be ${bound}` };
  });
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
  const parsed = field.parse(text);
  if ("value" in parsed) return parsed.value;
  const shown = field.secret ? "" : ` (it is ${JSON.stringify(text.slice(0, 80))})`;
  problems.push({
    name: field.name,
    problem: `${parsed.problem}${shown}; for example ${field.name}=${field.example}`,
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
