import type { DocumentedOperation, JsonSchema } from "../../../src/core/openapi/create-document.ts";
import type { SeededRandom } from "../seeded-random.ts";
import { brokenJson, randomJson } from "../seeded-random.ts";
import type { WorldRequest } from "../sign-in-world.ts";

export interface DocumentedCall {
  readonly method: string;
  readonly path: string;
  readonly operation: DocumentedOperation;
}

export interface FuzzedRequest extends WorldRequest {
  readonly path: string;
  /** The JSON that was sent, when it is some. */
  readonly json: unknown;
}

/** A request that the document describes, or nearly so. */
export function fuzzRequest(
  { method, path, operation }: DocumentedCall,
  random: SeededRandom,
  hints: Hints & { readonly session: readonly string[] },
): FuzzedRequest {
  const filled = path.replace(/\{(\w+)\}/g, (_, name: string) => {
    const schema = operation.parameters?.find((parameter) => parameter.name === name)?.schema ?? {};
    return encodeURIComponent(
      String(random.pick(hints[name] ?? []) ?? validValue(schema, random, hints)),
    );
  });
  const anyMethod = random.pick(["GET", "PUT", "DELETE", "POST", "PATCH"]) ?? "GET";
  const schema = operation.requestBody?.content["application/json"]?.schema;
  const sent = random.chance(0.02) ? anyMethod : method.toUpperCase();
  return {
    path: random.chance(0.02) ? `${filled}/${random.below(100)}` : filled,
    method: sent,
    ...fuzzBody(sent === "GET" ? undefined : schema, random, hints),
    ...fuzzCredential(random, hints.session),
  };
}

function fuzzBody(schema: JsonSchema | undefined, random: SeededRandom, hints: Hints) {
  if (schema === undefined) return { json: undefined };
  const kind = random.below(20);
  if (kind === 0) return { json: undefined };
  if (kind === 1) return { json: undefined, body: brokenJson(random, JSON.stringify(hints)) };
  if (kind === 2) return { json: undefined, body: `"${"x".repeat(70_000)}"` };
  const json =
    kind < 13
      ? validValue(schema, random, hints)
      : kind < 19
        ? brokenValue(schema, random, hints)
        : randomJson(random);
  return { json, body: JSON.stringify(json) };
}

/** Mostly the token as Bearer; or the cookie, with or without the right origin; or none. */
function fuzzCredential(random: SeededRandom, tokens: readonly string[]): WorldRequest {
  const token = random.pick(tokens) ?? "";
  const cookie = { Cookie: `session_id=${token}`, Host: "localhost" };
  const kind = random.below(20);
  if (kind < 14) return { token };
  if (kind < 16) return { headers: { ...cookie, Origin: "http://localhost" } };
  if (kind < 17) return { headers: { ...cookie, Origin: "https://evil.example" } };
  if (kind < 18) return { token: "x".repeat(43) };
  return {};
}

/** Values that make sense to the service at this moment, by the field's name: a code that was sent. */
export type Hints = Readonly<Record<string, readonly unknown[]>>;

/** A value that the schema takes; half of the time one that the service knows. */
function validValue(schema: JsonSchema, random: SeededRandom, hints: Hints = {}): unknown {
  switch (schema.type) {
    case "object":
      return validObject(schema, random, hints);
    case "boolean":
      return random.chance(0.5);
    case "string":
      return validText(schema, random);
    default:
      throw new Error(`cannot make a ${JSON.stringify(schema.type)}`);
  }
}

function validObject(schema: JsonSchema, random: SeededRandom, hints: Hints): unknown {
  const value: Record<string, unknown> = {};
  for (const [name, property] of Object.entries(schema.properties ?? {})) {
    if (!schema.required?.includes(name) && random.chance(0.5)) continue;
    const known = random.chance(0.7) ? random.pick(hints[name] ?? []) : undefined;
    value[name] = known ?? validValue(property, random, hints);
  }
  if (random.chance(0.1)) value["unknown"] = randomJson(random);
  return value;
}

function validText(schema: JsonSchema, random: SeededRandom): string {
  if (schema.format === "email") return validEmail(random);
  if (schema.pattern !== undefined) {
    return textOfPattern(schema.pattern, random).slice(0, schema.maxLength);
  }
  const least = schema.minLength ?? 0;
  const length = least + random.below(Math.min(schema.maxLength ?? 50, 50) - least + 1);
  return textOfPattern(`[A-Za-z0-9_-]{${length}}`, random);
}

function validEmail(random: SeededRandom): string {
  const shapes = [
    "[a-z0-9]{1,20}@[a-z]{1,10}\\.org",
    "[A-Z][a-z.+_-]{0,8}[a-z]@(?:[a-z]{1,20}\\.){1,5}[a-z]{2,8}",
    " ?[a-z]{1,64}@xn--nxasmq6b\\.com ?",
    "[äöüß]{1,20}@bücher\\.example",
  ];
  return textOfPattern(random.pick(shapes) ?? "", random).replace(/\.{2,}|\.@/g, "_");
}

/** The valid value with one thing broken, or something else altogether. */
function brokenValue(schema: JsonSchema, random: SeededRandom, hints: Hints): unknown {
  if (random.chance(0.2)) return randomJson(random);
  const value = validValue(schema, random, hints) as Record<string, unknown>;
  const name = random.pick(Object.keys(schema.properties ?? {})) ?? "";
  if (random.chance(0.3)) delete value[name];
  else
    value[name] = random.chance(0.3) ? `${value[name]}${"x".repeat(400)}` : randomJson(random, 3);
  return value;
}

const repeatsMax = 6;
const printable = Array.from({ length: 95 }, (_, n) => String.fromCharCode(32 + n));
const digits = "0123456789".split("");
const blanks = [" ", "\t"];

/**
 * Text that a pattern of a JSON Schema takes. Knows what such patterns are made of here: classes,
 * groups, `|`, `?`, `*`, `+`, `{n}`, `{n,m}`, `.`, `\d`, `\s`, `\w`, escapes, and anchors at the ends.
 */
function textOfPattern(pattern: string, random: SeededRandom): string {
  const reader = new PatternReader(pattern.replace(/^\^/, "").replace(/\$$/, ""), random);
  return reader.readAlternatives();
}

class PatternReader {
  readonly #pattern: string;
  readonly #random: SeededRandom;
  #at = 0;

  constructor(pattern: string, random: SeededRandom) {
    this.#pattern = pattern;
    this.#random = random;
  }

  readAlternatives(): string {
    const alternatives = [this.#readSequence()];
    while (this.#take("|")) alternatives.push(this.#readSequence());
    return this.#random.pick(alternatives) ?? "";
  }

  #readSequence(): string {
    let text = "";
    while (this.#at < this.#pattern.length && !/[|)]/.test(this.#peek())) text += this.#readPiece();
    return text;
  }

  /** An atom with its count; it is read anew for each time, so that the times differ. */
  #readPiece(): string {
    const begin = this.#at;
    let text = this.#readAtom();
    const end = this.#at;
    const [least, most] = this.#readCount();
    const after = this.#at;
    const count = least + this.#random.below(most - least + 1);
    if (count === 0) return "";
    for (let time = 1; time < count; time += 1) {
      this.#at = begin;
      text += this.#readAtom();
      if (this.#at !== end) throw new Error(`cannot read ${this.#pattern}`);
    }
    this.#at = after;
    return text;
  }

  #readAtom(): string {
    if (this.#take("(")) {
      this.#take("?:");
      const text = this.readAlternatives();
      if (!this.#take(")")) throw new Error(`no ) in ${this.#pattern}`);
      return text;
    }
    if (this.#take("[")) return this.#random.pick(this.#readClass()) ?? "";
    return this.#random.pick(this.#readCharacters()) ?? "";
  }

  #readClass(): string[] {
    const characters: string[] = [];
    while (!this.#take("]")) {
      const from = this.#readCharacters();
      const range = this.#peek() === "-" && this.#pattern[this.#at + 1] !== "]";
      if (!range || from.length !== 1) {
        characters.push(...from);
        continue;
      }
      this.#take("-");
      const [first = 0, last = 0] = [from, this.#readCharacters()].map(([one]) =>
        one?.charCodeAt(0),
      );
      for (let code = first; code <= last; code += 1) characters.push(String.fromCharCode(code));
    }
    return characters;
  }

  #readCharacters(): readonly string[] {
    const character = this.#peek();
    this.#at += 1;
    if (character === ".") return printable;
    if (character !== "\\") return [character];
    const escaped = this.#peek();
    this.#at += 1;
    if (escaped === "d") return digits;
    if (escaped === "s") return blanks;
    if (escaped === "w") return [...digits, "a", "Z", "_"];
    return [escaped];
  }

  #readCount(): [least: number, most: number] {
    if (this.#take("?")) return [0, 1];
    if (this.#take("*")) return [0, repeatsMax];
    if (this.#take("+")) return [1, repeatsMax];
    const counted = /^\{(\d+)(?:,(\d+))?\}/.exec(this.#pattern.slice(this.#at));
    if (counted === null) return [1, 1];
    this.#at += counted[0].length;
    return [Number(counted[1]), Number(counted[2] ?? counted[1])];
  }

  #peek(): string {
    return this.#pattern[this.#at] ?? "";
  }

  #take(text: string): boolean {
    if (!this.#pattern.startsWith(text, this.#at)) return false;
    this.#at += text.length;
    return true;
  }
}
