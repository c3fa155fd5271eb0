import { z } from "zod";
import type { HttpContext } from "../../core/http/environment.ts";
import type { Operation } from "../../core/openapi/operation.ts";

/** The part of the app that answers requests. */
interface ApiApp {
  request(
    path: string,
    init: RequestInit,
    bindings: HttpContext["env"],
  ): Response | Promise<Response>;
}

const problemSchema = z.object({
  status: z.number(),
  code: z.string(),
  scope: z.string().optional(),
  retryAfterSeconds: z.number().optional(),
});
export type ApiProblem = z.infer<typeof problemSchema>;

export type ApiAnswer<T> =
  | { readonly kind: "ok"; readonly body: T }
  | { readonly kind: "problem"; readonly problem: ApiProblem };

interface ApiInput {
  readonly body?: object;
  readonly pathParameters?: Readonly<Record<string, string>>;
}

type BodyOf<Target extends Operation> = Target["answer"] extends { schema: z.ZodType<infer T> }
  ? T
  : undefined;

/**
 * Asks the API of the same process, as the person whose request this is: with its cookies, its
 * address and where it says it comes from. So the pages can do what the API allows and no more, and
 * its limits hold for them. Cookies that the API sets are passed on to the browser.
 */
export async function callApi<Target extends Operation>(
  app: ApiApp,
  context: HttpContext,
  { method, path, answer }: Target,
  { body, pathParameters = {} }: ApiInput = {},
): Promise<ApiAnswer<BodyOf<Target>>> {
  const init = {
    method: method.toUpperCase(),
    headers: headersFrom(context),
    ...(body === undefined ? {} : { body: JSON.stringify(body) }),
  };
  const filled = path.replace(/\{(\w+)\}/g, (_, name) =>
    encodeURIComponent(pathParameters[name] ?? ""),
  );
  const response = await app.request(filled, init, context.env);
  for (const cookie of response.headers.getSetCookie()) {
    context.header("Set-Cookie", cookie, { append: true });
  }
  const json: unknown = response.status === 204 ? undefined : await response.json();
  if (!response.ok) return { kind: "problem", problem: problemSchema.parse(json) };
  return { kind: "ok", body: answer.schema?.parse(json) as BodyOf<Target> };
}

function headersFrom(context: HttpContext): Headers {
  const headers = new Headers(context.req.raw.headers);
  // Of another body, and of no page: a browser's page has the cookie.
  for (const name of ["Content-Length", "Transfer-Encoding", "Authorization"]) headers.delete(name);
  headers.set("Content-Type", "application/json");
  headers.set("Accept", "application/json");
  headers.set("X-Request-Id", context.get("requestId"));
  return headers;
}
