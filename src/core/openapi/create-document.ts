import type { ErrorRow } from "../errors.ts";
import type {
  DocumentedContent,
  DocumentedHeader,
  DocumentedOperation,
  DocumentedParameter,
  DocumentedResponse,
  JsonSchema,
  OpenApiDocument,
} from "./document.ts";
import type { Operation } from "./operation.ts";
import { problemSchema, problemsOf } from "./problems.ts";
import { SchemaCollection } from "./schema-collection.ts";

export interface DocumentOptions {
  readonly title: string;
  readonly version: string;
  readonly description: string;
  /** Where the API is, when that is known. */
  readonly serverUrl: string | undefined;
  readonly operations: readonly Operation[];
  /** The cookie that carries a session's token. */
  readonly cookieName: string;
  readonly unauthenticated: ErrorRow;
}

/** The document of an API, made from its operations, in their order. */
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
      headers: { "X-Request-Id": header("Of this request.", true) },
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
      "X-Request-Id": header("Of this request, as requestId.", true),
      ...(status === 401 ? { "WWW-Authenticate": header("Bearer.", true) } : {}),
      ...(waits ? { "Retry-After": header("Seconds until it may work.", status === 429) } : {}),
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
