import type { JsonSchema } from "../../../src/core/openapi/create-document.ts";
import { randomJson } from "../random-json.ts";
import type { SeededRandom } from "../seeded-random.ts";
import { textOfPattern } from "./pattern-text.ts";

/** Values that make sense to the service at this moment, by the field's name: a code that was sent. */
export type Hints = Readonly<Record<string, readonly unknown[]>>;

/** A value that the schema takes; half of the time one that the service knows. */
export function validValue(schema: JsonSchema, random: SeededRandom, hints: Hints = {}): unknown {
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
  if (schema.pattern !== undefined) {
    return textOfPattern(schema.pattern, random).slice(0, schema.maxLength);
  }
  if (schema.format === "email") return validEmail(random);
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
export function brokenValue(schema: JsonSchema, random: SeededRandom, hints: Hints): unknown {
  if (random.chance(0.2)) return randomJson(random);
  const value = validValue(schema, random, hints) as Record<string, unknown>;
  const name = random.pick(Object.keys(schema.properties ?? {})) ?? "";
  if (random.chance(0.3)) delete value[name];
  else
    value[name] = random.chance(0.3) ? `${value[name]}${"x".repeat(400)}` : randomJson(random, 3);
  return value;
}
