import { z } from "zod";
import { coreErrors } from "../error-codes.ts";
import type { ErrorRow } from "../errors.ts";
import { httpErrors } from "../http/error-codes.ts";
import type { Operation } from "./operation.ts";

/** What an answer that is no success looks like; see `core/http/problem.ts`. */
export const problemSchema = z
  .object({
    type: z.string().meta({ format: "uri", examples: ["urn:instant:problem:validation_failed"] }),
    title: z.string(),
    status: z.int().min(400).max(599),
    detail: z.string().meta({ description: "What happened to this request, for people." }),
    code: z.string().meta({ description: "The kind, for programs." }),
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
      description: "Which budget is used up: with 429, and with the wrong code that used it up.",
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
  httpErrors.validationFailed,
] as const;

/** What any call may meet: a store that is away, or too slow. */
const engineErrors = [
  coreErrors.redisUnavailable,
  coreErrors.postgresUnavailable,
  coreErrors.postgresFailed,
  coreErrors.sqliteBusy,
  coreErrors.sqliteFailed,
  coreErrors.deadlineExceeded,
] as const;

/** Every problem that a call may answer, by its status; `unauthenticated` is the room's row. */
export function problemsOf(
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
