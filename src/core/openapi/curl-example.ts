import type { DocumentedOperation } from "./document.ts";

export interface CurlCall {
  readonly method: string;
  readonly path: string;
  readonly operation: DocumentedOperation;
}

/** The call as a line for a shell, with the operation's examples; the token is in `$TOKEN`. */
export function curlExample(baseUrl: string, { method, path, operation }: CurlCall): string {
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
