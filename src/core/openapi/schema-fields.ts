import type { JsonSchema, OpenApiDocument } from "./document.ts";

/** A field of a JSON body, for people. */
export interface SchemaField {
  /** "user.email", "sessions[].id". */
  readonly name: string;
  /** "text (e-mail), at most 320 characters". */
  readonly type: string;
  readonly required: boolean;
  readonly description: string;
}

const depthMax = 5;

/** All fields of a schema, those of objects within it after them. */
export function listFields(schema: JsonSchema, document: OpenApiDocument): SchemaField[] {
  return fieldsOf(schema, document, "", 0);
}

function fieldsOf(
  given: JsonSchema,
  document: OpenApiDocument,
  prefix: string,
  depth: number,
): SchemaField[] {
  const schema = resolve(given, document);
  if (depth > depthMax) return [];
  if (schema.items !== undefined) {
    return fieldsOf(schema.items, document, prefix.replace(/\.$/, "[]."), depth + 1);
  }
  return Object.entries(schema.properties ?? {}).flatMap(([key, property]) => {
    const name = `${prefix}${key}`;
    const resolved = resolve(property, document);
    const field = {
      name,
      type: typeOf(resolved),
      required: schema.required?.includes(key) ?? false,
      description: property.description ?? resolved.description ?? "",
    };
    return [field, ...fieldsOf(resolved, document, `${name}.`, depth + 1)];
  });
}

function resolve(schema: JsonSchema, document: OpenApiDocument): JsonSchema {
  const name = schema.$ref?.split("/").at(-1);
  return name === undefined ? schema : (document.components.schemas[name] ?? {});
}

const typeWords: Readonly<Record<string, string>> = {
  string: "text",
  integer: "whole number",
  boolean: "true or false",
  array: "list",
  null: "null",
};

const formatWords: Readonly<Record<string, string>> = {
  email: "e-mail address",
  "date-time": "time",
  uuid: "UUID",
};

function typeOf({ type, format, maxLength, default: fallback }: JsonSchema): string {
  const types = [type ?? "any"].flat();
  const words = types.map((each) => {
    return (each === "string" && formatWords[format ?? ""]) || (typeWords[each] ?? each);
  });
  const bound = maxLength === undefined ? "" : `, at most ${maxLength} characters`;
  const otherwise = fallback === undefined ? "" : `; ${JSON.stringify(fallback)} if left out`;
  return `${words.join(" or ")}${bound}${otherwise}`;
}
