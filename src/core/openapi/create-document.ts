// The operations of an HTTP API, and the OpenAPI document made of them.
import type { Hono } from "hono";
import { z } from "zod";
import type { ErrorRow } from "../errors.ts";
import { coreErrors } from "../errors.ts";
import type { HttpContext, HttpEnvironment } from "../http/problem.ts";
import { httpErrors } from "../http/problem.ts";

/**
 * The description of one API call. Its route, the validation of its body, the OpenAPI document and
 * the HTML documentation are all derived from it, so that they cannot disagree.
 */
export interface Operation {
  /** A verb and a noun, in camelCase: "requestCode". */
  readonly id: string;
  readonly method: "get" | "post" | "patch" | "delete";
  /** "/auth/sessions/{id}". */
  readonly path: string;
  /** The heading in the documentation. */
  readonly group: string;
  /** The summary, without a full stop. */
  readonly summary: string;
  readonly description?: string;
  /** `session`: 401 without a token of a live session. */
  readonly access: "anyone" | "session";
  readonly pathParameters?: Readonly<Record<string, Parameter>>;
  /** Request headers, such as a signature; the description states whether one is optional. */
  readonly headerParameters?: Readonly<Record<string, Parameter>>;
  readonly body?: BodyDescription;
  /** The answer on success; without a schema it has no body. */
  readonly answer: {
    readonly status: 200 | 204;
    readonly description: string;
    readonly schema?: z.ZodType;
  };
  /** An answer that is neither a success nor a problem. */
  readonly otherwise?: {
    readonly status: 503;
    readonly description: string;
    readonly schema: z.ZodType;
  };
  /** The problems of this call, in addition to those of any call (see `problemsOf`). */
  readonly problems?: readonly ErrorRow[];
  /** The call uses no store, so none can be unavailable. */
  readonly storeless?: boolean;
}

interface Parameter {
  readonly schema: z.ZodType;
  /** A regular expression for the parameter, so that other calls' paths do not match. */
  readonly pattern?: string;
  readonly description: string;
  readonly example: string;
}

interface BodyDescription {
  readonly schema: z.ZodType;
  readonly required: boolean;
  readonly example: unknown;
}

/** Adds the route of an operation to the app. */
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

/** The part of OpenAPI 3.1 that is generated here; see the specification for each name. */
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
  /** Any one of these; empty: anyone may call it. */
  readonly security: readonly Readonly<Record<string, readonly string[]>>[];
  readonly parameters?: readonly DocumentedParameter[];
  readonly requestBody?: { readonly required: boolean; readonly content: DocumentedContent };
  readonly responses: Readonly<Record<string, DocumentedResponse>>;
}

interface DocumentedParameter {
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

interface DocumentedHeader {
  readonly description: string;
  readonly required: boolean;
  readonly schema: JsonSchema;
}

type DocumentedContent = Readonly<
  Record<string, { readonly schema: JsonSchema; readonly example?: unknown }>
>;

/** The part of JSON Schema 2020-12 that is used here. */
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

/** An answer that is not a success; see `Problem` in core/http/problem.ts. */
const problemSchema = z
  .object({
    type: z.string().meta({ format: "uri", examples: ["urn:instant:problem:validation_failed"] }),
    title: z.string(),
    status: z.int().min(400).max(599),
    detail: z.string().meta({ description: "What happened to this request, for people." }),
    code: z.string().meta({ description: "The kind of problem, for programs." }),
    requestId: z.string().meta({ description: "As in the header X-Request-Id." }),
    errors: z
      .array(
        z.object({
          field: z.string().meta({ description: 'As "email"; "" for the body as a whole.' }),
          message: z.string().meta({ description: "What is allowed; never the value." }),
        }),
      )
      .optional(),
    scope: z.string().optional().meta({
      description: "Which limit is exhausted: with 429, and with the wrong code that exhausted it.",
    }),
    retryAfterSeconds: z.int().min(0).optional(),
  })
  .meta({ id: "Problem", description: "RFC 9457." });

const bodyErrors = [
  httpErrors.malformedRequest,
  httpErrors.malformedJson,
  httpErrors.requestTimeout,
  httpErrors.bodyTooLarge,
  httpErrors.unsupportedMediaType,
  httpErrors.unsupportedContentEncoding,
  httpErrors.validationFailed,
] as const;

/** Problems of any call: a store that is unavailable or too slow. */
const engineErrors = [
  coreErrors.redisUnavailable,
  coreErrors.postgresUnavailable,
  coreErrors.postgresFailed,
  coreErrors.sqliteBusy,
  coreErrors.sqliteFailed,
  coreErrors.deadlineExceeded,
] as const;

/** Every problem that a call may answer with, by status. */
function problemsOf(
  operation: Operation,
  unauthenticated: ErrorRow,
): ReadonlyMap<number, readonly ErrorRow[]> {
  const rows: readonly ErrorRow[] = [
    ...(operation.access === "session" ? [unauthenticated] : []),
    ...(operation.method === "get" ? [] : [httpErrors.crossOrigin]),
    ...(operation.body === undefined ? [] : bodyErrors),
    ...(operation.problems ?? []),
    ...(operation.storeless ? [] : engineErrors),
  ];
  return Map.groupBy(new Set(rows), ({ status }) => status);
}

/**
 * The JSON Schemas of zod schemas. One with an id (`.meta({ id })`) is listed once and referenced.
 */
class SchemaCollection {
  readonly #named = new Map<string, JsonSchema>();

  /** The schemas with an id, by name. */
  get named(): Readonly<Record<string, JsonSchema>> {
    return Object.fromEntries([...this.#named].toSorted(([a], [b]) => a.localeCompare(b)));
  }

  /** `input`: what is accepted, before defaults and transforms; `output`: what results. */
  add(schema: z.ZodType, io: "input" | "output"): JsonSchema {
    const text = JSON.stringify(z.toJSONSchema(schema, { io }));
    const { $schema, $defs, ...rest } = JSON.parse(
      text.replaceAll('"#/$defs/', '"#/components/schemas/'),
    ) as JsonSchema & { $schema: string; $defs?: Record<string, JsonSchema> };
    for (const [name, definition] of Object.entries($defs ?? {})) this.#named.set(name, definition);
    return rest;
  }
}

interface DocumentOptions {
  readonly title: string;
  readonly version: string;
  readonly description: string;
  /** The base URL of the API, if known. */
  readonly serverUrl: string | undefined;
  readonly operations: readonly Operation[];
  /** The cookie that carries a session's token. */
  readonly cookieName: string;
  /** The problem of a call without a session. */
  readonly unauthenticated: ErrorRow;
}

/** The document of an API, generated from its operations in their order. */
export function createOpenApiDocument(options: DocumentOptions): OpenApiDocument {
  const { title, version, description, serverUrl, cookieName, operations } = options;
  const schemas = new SchemaCollection();
  const paths: Record<string, Record<string, DocumentedOperation>> = {};
  for (const operation of operations) {
    const path = paths[operation.path] ?? {};
    paths[operation.path] = path;
    path[operation.method] = describeOperation(operation, options.unauthenticated, schemas);
  }
  return {
    openapi: "3.1.0",
    info: { title, version, description },
    ...(serverUrl === undefined ? {} : { servers: [{ url: serverUrl }] }),
    tags: [...new Set(operations.map(({ group }) => group))].map((name) => ({ name })),
    paths,
    components: {
      schemas: schemas.named,
      securitySchemes: {
        bearer: { type: "http", scheme: "bearer" },
        cookie: { type: "apiKey", in: "cookie", name: cookieName },
      },
    },
  };
}

function describeOperation(
  operation: Operation,
  unauthenticated: ErrorRow,
  schemas: SchemaCollection,
): DocumentedOperation {
  const { id, group, summary, description, access, body } = operation;
  const parameters = [
    ...describeParameters("path", operation.pathParameters, schemas),
    ...describeParameters("header", operation.headerParameters, schemas),
  ];
  return {
    operationId: id,
    tags: [group],
    summary,
    ...(description === undefined ? {} : { description }),
    security: access === "session" ? [{ bearer: [] }, { cookie: [] }] : [],
    ...(parameters.length === 0 ? {} : { parameters }),
    ...(body === undefined
      ? {}
      : {
          requestBody: {
            required: body.required,
            content: {
              "application/json": {
                schema: schemas.add(body.schema, "input"),
                example: body.example,
              },
            },
          },
        }),
    responses: describeResponses(operation, unauthenticated, schemas),
  };
}

function describeParameters(
  place: DocumentedParameter["in"],
  parameters: Operation["pathParameters"] = {},
  schemas: SchemaCollection,
): readonly DocumentedParameter[] {
  return Object.entries(parameters).map(([name, { schema, description, example }]) => ({
    name,
    in: place,
    required: place === "path",
    description,
    example,
    schema: schemas.add(schema, "input"),
  }));
}

function describeResponses(
  operation: Operation,
  unauthenticated: ErrorRow,
  schemas: SchemaCollection,
): Readonly<Record<string, DocumentedResponse>> {
  const { answer, otherwise } = operation;
  const responses: Record<string, DocumentedResponse> = {};
  for (const [status, rows] of problemsOf(operation, unauthenticated)) {
    responses[status] = describeProblems(status, rows, schemas.add(problemSchema, "output"));
  }
  for (const { status, description, schema } of [answer, otherwise ?? answer]) {
    const content = schema === undefined ? undefined : schemas.add(schema, "output");
    responses[status] = {
      description,
      headers: { "X-Request-Id": header("The id of this request.", true) },
      ...(content === undefined ? {} : json("application/json", content)),
    };
  }
  return responses;
}

function describeProblems(
  status: number,
  rows: readonly ErrorRow[],
  problem: JsonSchema,
): DocumentedResponse {
  const limited = {
    RateLimit: header('As "scope";r=left;t=seconds.', true),
    "RateLimit-Policy": header('As "scope";q=quota;w=seconds.', true),
  };
  const waits = status === 429 || status === 503;
  const codes = rows.map(({ code }) => code);
  return {
    description: rows.map(({ code, meaning }) => `${code}: ${meaning}.`).join("\n"),
    headers: {
      "X-Request-Id": header("The id of this request, as in requestId.", true),
      ...(status === 401 ? { "WWW-Authenticate": header("Bearer.", true) } : {}),
      ...(waits
        ? { "Retry-After": header("Seconds until a retry may succeed.", status === 429) }
        : {}),
      ...(status === 429 ? limited : {}),
    },
    ...json("application/problem+json", {
      allOf: [problem, { type: "object", properties: { code: { type: "string", enum: codes } } }],
    }),
  };
}

function header(description: string, required: boolean): DocumentedHeader {
  return { description, required, schema: { type: "string" } };
}

function json(type: string, schema: JsonSchema): { readonly content: DocumentedContent } {
  return { content: { [type]: { schema } } };
}
