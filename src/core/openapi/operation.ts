import type { Hono } from "hono";
import type { z } from "zod";
import type { ErrorRow } from "../errors.ts";
import type { HttpContext, HttpEnvironment } from "../http/environment.ts";

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
