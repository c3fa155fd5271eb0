import { HTTPException } from "hono/http-exception";
import type { ErrorRow } from "../errors.ts";
import { errorMessage, InstantError, isInstantError } from "../errors.ts";
import type { Log } from "../log.ts";
import type { HttpContext } from "./environment.ts";
import { httpErrors } from "./error-codes.ts";
import type { FieldError } from "./problem.ts";
import { problemResponse } from "./problem.ts";

const retryAfterSecondsDefault = 5;

/**
 * Any thrown value → its problem. An `InstantError` answers with its row's status: below 500 with
 * its detail, from 500 on with the row's meaning alone, because the detail may hold addresses and
 * paths of ours. A retryable 503 carries `Retry-After` (`details.retryAfterSeconds`, else 5 s).
 * Anything else is a fault of ours: 500 without a word about it, and an error line in the log.
 * `showsRefusal`: an operator is told as well what an engine itself said (`details.refusal`).
 */
export function respondToError(
  error: Error,
  context: HttpContext,
  log: Log,
  { showsRefusal = false }: { readonly showsRefusal?: boolean } = {},
): Response {
  const known = classifyError(error);
  const requestId = context.get("requestId");
  if (known === undefined) {
    log.error({ requestId, err: error }, "Request failed unexpectedly");
    return problemResponse(context, httpErrors.internal);
  }
  const { row, details } = known;
  if (row.status < 500) {
    return problemResponse(context, row, {
      detail: known.detail,
      errors: details["errors"] as readonly FieldError[] | undefined,
    });
  }
  log.warn({ requestId, code: row.code, error: errorMessage(error) }, "Request was not served");
  const refusal = details["refusal"];
  const detail =
    showsRefusal && typeof refusal === "string" ? `${row.meaning}: ${refusal}` : undefined;
  const retryAfterSeconds = retryAfterSecondsOf(row, details["retryAfterSeconds"]);
  return problemResponse(context, row, { detail, retryAfterSeconds });
}

function classifyError(error: Error): InstantError | undefined {
  if (isInstantError(error)) return error;
  if (!(error instanceof HTTPException)) return undefined;
  if (error.status === 413) return new InstantError(httpErrors.bodyTooLarge);
  return error.status < 500 ? new InstantError(httpErrors.malformedRequest) : undefined;
}

function retryAfterSecondsOf(row: ErrorRow, asked: unknown): number | undefined {
  if (row.status !== 503 || !row.retryable) return undefined;
  return typeof asked === "number" ? asked : retryAfterSecondsDefault;
}
