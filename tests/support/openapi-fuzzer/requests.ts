import type { DocumentedOperation, JsonSchema } from "../../../src/core/openapi/create-document.ts";
import { brokenJson, randomJson } from "../random-json.ts";
import type { SeededRandom } from "../seeded-random.ts";
import type { WorldRequest } from "../sign-in-world.ts";
import type { Hints } from "./schema-values.ts";
import { brokenValue, validValue } from "./schema-values.ts";

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
  hints: Hints & { readonly token: readonly string[] },
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
    ...fuzzCredential(random, hints.token),
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
