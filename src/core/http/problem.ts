// Problems (RFC 9457): every HTTP response that is not a success, and its context.
import type { Context } from "hono";
import { accepts } from "hono/accepts";
import { HTTPException } from "hono/http-exception";
import type { ContentfulStatusCode } from "hono/utils/http-status";
import type { z } from "zod";
import type { ErrorRow } from "../errors.ts";
import { errorMessage, InstantError, isInstantError } from "../errors.ts";
import type { Language } from "../languages.ts";
import type { Log } from "../log.ts";

/** Hono's `Env` for every app of the program. */
export interface HttpEnvironment {
  readonly Bindings: {
    readonly clientAddress?: string | undefined;
    /** Aborted once the server was told to stop. */
    readonly stopping?: AbortSignal;
  };
  readonly Variables: {
    readonly requestId: string;
    /** The client as rate limits count it; see `clientOf`. */
    readonly client: string;
    /** The language that the person chose, in requests from our pages; see `chosenLanguage`. */
    readonly chosenLanguage?: Language | undefined;
  };
}

export type HttpContext = Context<HttpEnvironment>;

/**
 * The peer address of the connection (a proxy, if there is one); undefined when the connection is
 * already closed or the request did not come through a socket.
 */
export function clientAddress(context: HttpContext): string | undefined {
  return context.env?.clientAddress;
}

/** Whether the server was told to stop: it still answers, and each answer closes its connection. */
export function isStopping(context: HttpContext): boolean {
  return context.env?.stopping?.aborted ?? false;
}

/** RFC 9457 with our members `code`, `requestId` and, for invalid fields, `errors`. */
export interface Problem {
  /** `urn:instant:problem:<code>`: an identifier, not a link. */
  readonly type: string;
  readonly title: string;
  readonly status: number;
  readonly detail: string;
  readonly code: string;
  readonly requestId: string;
  readonly errors?: readonly FieldError[];
}

interface FieldError {
  /** "email", "data.code"; "" for the body as a whole. */
  readonly field: string;
  /** What is allowed, with its bound; never the value. */
  readonly message: string;
}

interface ProblemOptions {
  /** What went wrong, for the sender of this request; the row's meaning when left out. */
  readonly detail?: string | undefined;
  readonly errors?: readonly FieldError[] | undefined;
  /** Extension members in addition to those of `Problem`. */
  readonly members?: Readonly<Record<string, unknown>> | undefined;
  /** Adds `Retry-After`, and the member `retryAfterSeconds`. */
  readonly retryAfterSeconds?: number | undefined;
  readonly headers?: Readonly<Record<string, string>> | undefined;
}

/** Why a request was not served: a problem for programs, a sentence on a page for people. */
export interface Failure extends ProblemOptions {
  readonly row: ErrorRow;
}

/** Every response that is not a success: `application/problem+json`, never cached. */
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

/**
 * Errors of any route. A body that is not JSON is 400, another content type 415, JSON with invalid
 * fields 422 with `errors`.
 */
export const httpErrors = {
  malformedRequest: {
    code: "malformed_request",
    meaning: "The request could not be read",
    retryable: false,
    status: 400,
  },
  malformedJson: {
    code: "malformed_json",
    meaning: "The body is not JSON in UTF-8",
    retryable: false,
    status: 400,
  },
  crossOrigin: {
    code: "cross_origin",
    meaning: "This request came from a page of another site",
    retryable: false,
    status: 403,
  },
  notFound: {
    code: "not_found",
    meaning: "Nothing exists at this URL",
    retryable: false,
    status: 404,
  },
  methodNotAllowed: {
    code: "method_not_allowed",
    meaning: "This URL does not support this method",
    retryable: false,
    status: 405,
  },
  requestTimeout: {
    code: "request_timeout",
    meaning: "The body did not arrive in time",
    retryable: true,
    status: 408,
  },
  bodyTooLarge: {
    code: "body_too_large",
    meaning: "The body is too large",
    retryable: false,
    status: 413,
  },
  unsupportedMediaType: {
    code: "unsupported_media_type",
    meaning: "The body must be JSON",
    retryable: false,
    status: 415,
  },
  unsupportedContentEncoding: {
    code: "unsupported_content_encoding",
    meaning: "The body must not be compressed",
    retryable: false,
    status: 415,
  },
  notServing: {
    code: "not_serving",
    meaning: "The service is starting or stopping",
    retryable: true,
    status: 503,
  },
  validationFailed: {
    code: "validation_failed",
    meaning: "A field of the body is not valid",
    retryable: false,
    status: 422,
  },
  internal: {
    code: "internal_error",
    meaning: "Something went wrong on our side",
    retryable: false,
    status: 500,
  },
  portInUse: {
    code: "port_in_use",
    meaning: "The port is in use by another program",
    retryable: false,
    status: 500,
  },
  listenFailed: {
    code: "listen_failed",
    meaning: "Cannot listen on the address",
    retryable: false,
    status: 500,
  },
} as const satisfies Record<string, ErrorRow>;

const fieldErrorsMax = 20;

/** Each invalid field and its requirement: "email", "must be text". */
export function fieldErrors(error: z.ZodError): FieldError[] {
  return error.issues.slice(0, fieldErrorsMax).map((issue) => ({
    field: issue.path.map(String).join(".").slice(0, 200),
    message: describeIssue(issue),
  }));
}

type Issue = z.ZodError["issues"][number];

function describeIssue(issue: Issue): string {
  switch (issue.code) {
    case "invalid_type":
      if (issue.input === undefined) return "is required";
      return isZods(issue.message) ? `must be ${nameOfType(issue.expected)}` : issue.message;
    case "too_big":
      return `must be at most ${issue.maximum}${unitOf(issue.origin)}`;
    case "too_small":
      return `must be at least ${issue.minimum}${unitOf(issue.origin)}`;
    default:
      return issue.message; // written by the schema
  }
}

/** The schema has no own message. */
function isZods(message: string): boolean {
  return message.startsWith("Invalid input");
}

function nameOfType(type: string): string {
  if (type === "string") return "text";
  if (type === "object" || type === "record") return "a JSON object";
  if (type === "boolean") return "true or false";
  return `a ${type}`;
}

function unitOf(origin: string): string {
  if (origin === "string") return " characters long";
  return origin === "array" ? " items long" : "";
}

const retryAfterSecondsDefault = 5;

interface RefusalOptions {
  /** Operators also get the engine's own answer (`details.refusal`). */
  readonly showsRefusal?: boolean;
}

/** Any thrown value → its problem; see `describeFailure`. */
export function respondToError(
  error: Error,
  context: HttpContext,
  log: Log,
  options: RefusalOptions = {},
): Response {
  const { row, ...rest } = describeFailure(error, context, log, options);
  return problemResponse(context, row, rest);
}

/**
 * Any thrown value → the problem to answer with; logs what operators should see. An `InstantError`
 * gets the status of its row: below 500 with its detail and the `ProblemOptions` in its `details`;
 * from 500 on with the row's meaning only, because the detail may contain internal addresses and
 * paths. A retryable 503 has `Retry-After` (`details.retryAfterSeconds`, else 5 s). Anything else
 * is a bug: 500 without detail, and an error in the log.
 */
export function describeFailure(
  error: unknown,
  context: HttpContext,
  log: Log,
  { showsRefusal = false }: RefusalOptions = {},
): Failure {
  const known = classifyError(error);
  const requestId = context.get("requestId");
  if (known === undefined) {
    log.error({ requestId, err: error }, "Request failed unexpectedly");
    return { row: httpErrors.internal };
  }
  const { row, details } = known;
  if (row.status < 500) {
    const { errors, members, retryAfterSeconds, headers } = details as ProblemOptions;
    return { row, detail: known.detail, errors, members, retryAfterSeconds, headers };
  }
  log.warn({ requestId, code: row.code, error: errorMessage(error) }, "Request was not served");
  const refusal = details["refusal"];
  const detail =
    showsRefusal && typeof refusal === "string" ? `${row.meaning}: ${refusal}` : undefined;
  return { row, detail, retryAfterSeconds: retryAfterSecondsOf(row, details["retryAfterSeconds"]) };
}

function classifyError(error: unknown): InstantError | undefined {
  if (isInstantError(error)) return error;
  if (!(error instanceof HTTPException)) return undefined;
  if (error.status === 413) return new InstantError(httpErrors.bodyTooLarge);
  return error.status < 500 ? new InstantError(httpErrors.malformedRequest) : undefined;
}

function retryAfterSecondsOf(row: ErrorRow, requested: unknown): number | undefined {
  if (row.status !== 503 || !row.retryable) return undefined;
  return typeof requested === "number" ? requested : retryAfterSecondsDefault;
}

/** Renders a problem as a page; undefined: keep the JSON. */
export type DrawProblem = (problem: Problem, context: HttpContext) => Response | undefined;

const problemType = "application/problem+json";

/**
 * Renders a problem as a page for clients that accept `text/html` explicitly, that is browsers that
 * navigate or submit a form. Status and headers stay.
 */
export async function drawPage(context: HttpContext, draw: DrawProblem): Promise<void> {
  if (context.res.headers.get("Content-Type") !== problemType) return;
  const supports = [problemType, "text/html"];
  const wanted = accepts(context, { header: "Accept", supports, default: problemType });
  if (wanted !== "text/html") return;
  const problem = (await context.res.clone().json()) as Problem;
  const page = draw(problem, context);
  if (page !== undefined) context.res = page; // Hono keeps the headers that were there
}
