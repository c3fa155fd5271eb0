import frameStyles from "../html/frame.css" with { type: "text" };
import { Frame, pageResponse } from "../html/page.tsx";
import type { DocumentedOperation, JsonSchema, OpenApiDocument } from "./create-document.ts";
import docsStyles from "./docs-page.css" with { type: "text" };

interface CurlCall {
  readonly method: string;
  readonly path: string;
  readonly operation: DocumentedOperation;
}

/** The call as a shell command with the operation's examples; the token is in `$TOKEN`. */
function curlExample(baseUrl: string, { method, path, operation }: CurlCall): string {
  const parameters = new Map(operation.parameters?.map(({ name, example }) => [name, example]));
  const filled = path.replace(/\{(\w+)\}/g, (_, name: string) => parameters.get(name) ?? name);
  const body = operation.requestBody?.content["application/json"]?.example;
  const url = `${baseUrl}${filled}`;
  const headers = operation.parameters?.filter((parameter) => parameter.in === "header") ?? [];
  const parts = [
    method === "get" ? `curl ${url}` : `curl -X ${method.toUpperCase()} ${url}`,
    ...(operation.security.length === 0 ? [] : [`-H "Authorization: Bearer $TOKEN"`]),
    ...headers.map(({ name, example }) => `-H "${name}: ${example}"`),
    ...(body === undefined
      ? []
      : [`-H "Content-Type: application/json"`, `-d '${JSON.stringify(body)}'`]),
  ];
  return parts.join(" \\\n  ");
}

/** A field of a JSON body, for people. */
interface SchemaField {
  /** "user.email", "sessions[].id". */
  readonly name: string;
  /** "text (e-mail), at most 320 characters". */
  readonly type: string;
  readonly required: boolean;
  readonly description: string;
}

const depthMax = 5;

/** All fields of a schema, each object followed by its own fields. */
function listFields(
  given: JsonSchema,
  document: OpenApiDocument,
  prefix = "",
  depth = 0,
): SchemaField[] {
  const schema = resolve(given, document);
  if (depth > depthMax) return [];
  if (schema.items !== undefined) {
    return listFields(schema.items, document, prefix.replace(/\.$/, "[]."), depth + 1);
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
    return [field, ...listFields(resolved, document, `${name}.`, depth + 1)];
  });
}

function resolve(schema: JsonSchema, document: OpenApiDocument): JsonSchema {
  const name = schema.$ref?.split("/").at(-1);
  return name === undefined ? schema : (document.components.schemas[name] ?? {});
}

const typeNames: Readonly<Record<string, string>> = {
  string: "text",
  integer: "whole number",
  boolean: "true or false",
  array: "list",
  null: "null",
};

const formatNames: Readonly<Record<string, string>> = {
  email: "e-mail address",
  "date-time": "time",
  uuid: "UUID",
};

function typeOf({ type, format, maxLength, default: fallback }: JsonSchema): string {
  const types = [type ?? "any"].flat();
  const typeName = types.map((each) => {
    return (each === "string" && formatNames[format ?? ""]) || (typeNames[each] ?? each);
  });
  const bound = maxLength === undefined ? "" : `, at most ${maxLength} characters`;
  const otherwise = fallback === undefined ? "" : `; ${JSON.stringify(fallback)} if left out`;
  return `${typeName.join(" or ")}${bound}${otherwise}`;
}

interface DocsPageOptions {
  readonly document: OpenApiDocument;
  readonly appName: string;
  /** The base URL of the examples. */
  readonly baseUrl: string;
}

/** The document as a single HTML page, without a script. */
export function docsPage({ document, appName, baseUrl }: DocsPageOptions): Response {
  const calls = Object.entries(document.paths).flatMap(([path, operations]) =>
    Object.entries(operations).map(([method, operation]) => ({ method, path, operation })),
  );
  return pageResponse({
    title: document.info.title,
    styles: frameStyles + docsStyles,
    body: () => (
      <Frame appName={appName} width="wide">
        <h1>{document.info.title}</h1>
        <p class="lead">{document.info.description}</p>
        <p>
          For programs: <a href="/openapi.json">openapi.json</a> (OpenAPI {document.openapi}).
        </p>
        <nav aria-label="Calls">
          {document.tags.map(({ name }) => (
            <Contents name={name} calls={calls.filter((call) => isTagged(call, name))} />
          ))}
        </nav>
        {document.tags.map(({ name }) => (
          <section>
            <h2>{name}</h2>
            {calls
              .filter((call) => isTagged(call, name))
              .map((call) => (
                <Call call={call} document={document} baseUrl={baseUrl} />
              ))}
          </section>
        ))}
      </Frame>
    ),
  });
}

function isTagged({ operation }: CurlCall, tag: string): boolean {
  return operation.tags.includes(tag);
}

function Contents({ name, calls }: { readonly name: string; readonly calls: readonly CurlCall[] }) {
  return (
    <>
      <h2>{name}</h2>
      <ul>
        {calls.map(({ operation }) => (
          <li>
            <a href={`#${operation.operationId}`}>{operation.summary}</a>
          </li>
        ))}
      </ul>
    </>
  );
}

interface CallProps {
  readonly call: CurlCall;
  readonly document: OpenApiDocument;
  readonly baseUrl: string;
}

function Call({ call, document, baseUrl }: CallProps) {
  const { method, path, operation } = call;
  const { operationId, summary, description, security, requestBody } = operation;
  const body = requestBody?.content["application/json"]?.schema;
  return (
    <article id={operationId} class="card">
      <h3>{summary}</h3>
      <p class="call">
        <span class={`method ${method}`}>{method.toUpperCase()}</span> <code>{path}</code>
      </p>
      {description !== undefined && <p>{description}</p>}
      {security.length > 0 && <p>Needs a session: the cookie, or the token as Bearer.</p>}
      <pre>
        <code>{curlExample(baseUrl, call)}</code>
      </pre>
      {body !== undefined && <Fields title="Body" schema={body} document={document} />}
      <Answers operation={operation} document={document} />
    </article>
  );
}

interface FieldsProps {
  readonly title: string;
  readonly schema: JsonSchema;
  readonly document: OpenApiDocument;
}

function Fields({ title, schema, document }: FieldsProps) {
  return (
    <>
      <h4>{title}</h4>
      <dl class="fields">
        {listFields(schema, document).map(({ name, type, required, description }) => (
          <div>
            <dt>
              <code>{name}</code>
            </dt>
            <dd>
              {type}
              {required ? "" : " (may be left out)"}
              {description === "" ? "" : `. ${description}`}
            </dd>
          </div>
        ))}
      </dl>
    </>
  );
}

function Answers({
  operation,
  document,
}: {
  readonly operation: DocumentedOperation;
  readonly document: OpenApiDocument;
}) {
  const entries = Object.entries(operation.responses);
  const schema = entries
    .map(([, { content }]) => content?.["application/json"]?.schema)
    .find((found) => found !== undefined);
  return (
    <>
      {schema !== undefined && <Fields title="Answer" schema={schema} document={document} />}
      <h4>Statuses</h4>
      <dl class="fields">
        {entries.map(([status, { description }]) => (
          <div>
            <dt>
              <code>{status}</code>
            </dt>
            <dd>
              {description.split("\n").map((line) => (
                <div>{line}</div>
              ))}
            </dd>
          </div>
        ))}
      </dl>
    </>
  );
}
