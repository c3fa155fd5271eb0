import type { Hono } from "hono";
import type { z } from "zod";
import type { ErrorRow } from "../errors.ts";
import type { HttpContext, HttpEnvironment } from "../http/environment.ts";

/**
 * One call of an HTTP API as a caller sees it. The route is registered from it, its body is checked
 * by the schema in it, and the OpenAPI document and the page for people are made from it, so that
 * they cannot say different things.
 */
export interface Operation {
  /** A verb and a noun, in camelCase: "requestCode". */
  readonly id: string;
  readonly method: "get" | "post" | "patch" | "delete";
  /** "/auth/sessions/{id}". */
  readonly path: string;
  /** The heading it stands under. */
  readonly group: string;
  /** What it does, without a final stop. */
  readonly summary: string;
  readonly description?: string;
  /** `session`: 401 without a token of a live session. */
  readonly access: "anyone" | "session";
  readonly pathParameters?: Readonly<Record<string, Parameter>>;
  /** Such as a signature; whether one may be left out is in its words. */
  readonly headerParameters?: Readonly<Record<string, Parameter>>;
  readonly body?: BodyDescription;
  /** The answer of success; without a schema it has no body. */
  readonly answer: {
    readonly status: 200 | 204;
    readonly description: string;
    readonly schema?: z.ZodType;
  };
  /** An answer that is no success and no problem either. */
  readonly otherwise?: {
    readonly status: 503;
    readonly description: string;
    readonly schema: z.ZodType;
  };
  /** What this call may answer beside what any call may, see `problems.ts`. */
  readonly problems?: readonly ErrorRow[];
  /** True: it needs no store, and so cannot meet one that is away. */
  readonly storeless?: boolean;
}

interface Parameter {
  readonly schema: z.ZodType;
  /** A regular expression of the only segments that lead here: others may be other calls' names. */
  readonly pattern?: string;
  readonly description: string;
  readonly example: string;
}

interface BodyDescription {
  readonly schema: z.ZodType;
  readonly required: boolean;
  readonly example: unknown;
}

/** Puts the route of an operation into the app. */
export function addOperation(
  app: Hono<HttpEnvironment>,
  operation: Operation,
  handler: (context: HttpContext) => Response | Promise<Response>,
): void {
  app.on(operation.method.toUpperCase(), routeOf(operation), handler);
}

/** "/auth/sessions/{id}" → "/auth/sessions/:id", with the pattern when there is one: ":id{\\d+}". */
export function routeOf({ path, pathParameters = {} }: Operation): string {
  return path.replace(/\{(\w+)\}/g, (_, name: string) => {
    const pattern = pathParameters[name]?.pattern;
    return pattern === undefined ? `:${name}` : `:${name}{${pattern}}`;
  });
}

/** The part of an OpenAPI 3.1 document that is made here; see the specification for each name. */
export interface OpenApiDocument {
  readonly openapi: "3.1.0";
  readonly info: { readonly title: string; readonly version: string; readonly description: string };
  readonly servers?: readonly { readonly url: string }[];
  readonly tags: readonly { readonly name: string }[];
  readonly paths: Readonly<Record<string, Readonly<Record<string, DocumentedOperation>>>>;
  readonly components: {
    readonly schemas: Readonly<Record<string, JsonSchema>>;
    readonly securitySchemes: Readonly<Record<string, Readonly<Record<string, string>>>>;
  };
}

export interface DocumentedOperation {
  readonly operationId: string;
  readonly tags: readonly string[];
  readonly summary: string;
  readonly description?: string;
  /** Either of these; none: anybody may call it. */
  readonly security: readonly Readonly<Record<string, readonly string[]>>[];
  readonly parameters?: readonly DocumentedParameter[];
  readonly requestBody?: { readonly required: boolean; readonly content: DocumentedContent };
  readonly responses: Readonly<Record<string, DocumentedResponse>>;
}

export interface DocumentedParameter {
  readonly name: string;
  readonly in: "path" | "header";
  readonly required: boolean;
  readonly description: string;
  readonly schema: JsonSchema;
  readonly example: string;
}

export interface DocumentedResponse {
  readonly description: string;
  readonly headers: Readonly<Record<string, DocumentedHeader>>;
  readonly content?: DocumentedContent;
}

export interface DocumentedHeader {
  readonly description: string;
  readonly required: boolean;
  readonly schema: JsonSchema;
}

export type DocumentedContent = Readonly<
  Record<string, { readonly schema: JsonSchema; readonly example?: unknown }>
>;

/** JSON Schema 2020-12, as far as it is used here. */
export interface JsonSchema {
  readonly $ref?: string;
  readonly type?: string | readonly string[];
  readonly format?: string;
  readonly description?: string;
  readonly examples?: readonly unknown[];
  readonly default?: unknown;
  readonly enum?: readonly unknown[];
  readonly properties?: Readonly<Record<string, JsonSchema>>;
  readonly required?: readonly string[];
  readonly additionalProperties?: boolean | JsonSchema;
  readonly items?: JsonSchema;
  readonly allOf?: readonly JsonSchema[];
  readonly anyOf?: readonly JsonSchema[];
  readonly pattern?: string;
  readonly minLength?: number;
  readonly maxLength?: number;
  readonly minimum?: number;
  readonly maximum?: number;
}
