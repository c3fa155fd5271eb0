import type { ContentfulStatusCode } from "hono/utils/http-status";
import type { ErrorRow } from "../errors.ts";
import type { HttpContext } from "./environment.ts";

/** RFC 9457 with three members of ours: `code`, `requestId` and, for bad fields, `errors`. */
export interface Problem {
  /** `urn:instant:problem:<code>`: identifies the kind, leads nowhere. */
  readonly type: string;
  readonly title: string;
  readonly status: number;
  readonly detail: string;
  readonly code: string;
  readonly requestId: string;
  readonly errors?: readonly FieldError[];
}

export interface FieldError {
  /** "email", "data.code"; "" for the body as a whole. */
  readonly field: string;
  /** What is allowed, with its bound; never the value. */
  readonly message: string;
}

export interface ProblemOptions {
  /** What happened to this request, for the person who sent it; the row's meaning otherwise. */
  readonly detail?: string | undefined;
  readonly errors?: readonly FieldError[] | undefined;
  /** Further members, beside those of `Problem`. */
  readonly members?: Readonly<Record<string, unknown>>;
  /** Adds `Retry-After`, and the member `retryAfterSeconds`. */
  readonly retryAfterSeconds?: number | undefined;
  readonly headers?: Readonly<Record<string, string>>;
}

/** The one way an answer that is no success leaves: `application/problem+json`, never cached. */
export function problemResponse(
  context: HttpContext,
  row: ErrorRow,
  options: ProblemOptions = {},
): Response {
  const { retryAfterSeconds, errors } = options;
  const problem: Problem = {
    type: `urn:instant:problem:${row.code}`,
    title: row.meaning,
    status: row.status,
    detail: options.detail ?? `${row.meaning}.`,
    code: row.code,
    requestId: context.get("requestId"),
    ...(errors === undefined ? {} : { errors }),
    ...(retryAfterSeconds === undefined ? {} : { retryAfterSeconds }),
    ...options.members,
  };
  return context.body(JSON.stringify(problem), row.status as ContentfulStatusCode, {
    "Content-Type": "application/problem+json",
    "Cache-Control": "no-store",
    ...(row.status === 401 ? { "WWW-Authenticate": "Bearer" } : {}), // RFC 9110, 11.6.1
    ...(retryAfterSeconds === undefined ? {} : { "Retry-After": String(retryAfterSeconds) }),
    ...options.headers,
  });
}
