import { z } from "zod";
import type { JsonSchema } from "./document.ts";

/**
 * The JSON Schemas of zod schemas: a schema with an id (`.meta({ id })`) stands once, under
 * `components`, and is referred to.
 */
export class SchemaCollection {
  readonly #named = new Map<string, JsonSchema>();

  /** By their names. */
  get named(): Readonly<Record<string, JsonSchema>> {
    return Object.fromEntries([...this.#named].toSorted(([a], [b]) => a.localeCompare(b)));
  }

  /** `input`: what is taken, before defaults and transforms; `output`: what comes out. */
  add(schema: z.ZodType, io: "input" | "output"): JsonSchema {
    const text = JSON.stringify(z.toJSONSchema(schema, { io }));
    const { $schema, $defs, ...rest } = JSON.parse(
      text.replaceAll('"#/$defs/', '"#/components/schemas/'),
    ) as JsonSchema & { $schema: string; $defs?: Record<string, JsonSchema> };
    for (const [name, definition] of Object.entries($defs ?? {})) this.#named.set(name, definition);
    return rest;
  }
}
