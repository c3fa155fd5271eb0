import type { ApiProblem } from "./api-client.ts";
import type { Note, NotePlace } from "./page-cookies.ts";
import type { FailedName } from "./words.ts";
import { words } from "./words.ts";

interface Failure {
  readonly place: NotePlace;
  /** What is said of a field that does not fit. */
  readonly invalid: FailedName;
  readonly now: number;
}

/** A problem of the API as the note that tells a person of it. */
export function failureNote(problem: ApiProblem, { place, invalid, now }: Failure): Note {
  const { retryAfterSeconds } = problem;
  return {
    place,
    failed: failedName(problem, invalid),
    ...(retryAfterSeconds === undefined ? {} : { until: now + retryAfterSeconds * 1000 }),
  };
}

function failedName({ code, status }: ApiProblem, invalid: FailedName): FailedName {
  if (code === "validation_failed") return invalid;
  if (isFailedName(code)) return code;
  return status === 503 ? "unavailable" : "unexpected";
}

function isFailedName(code: string): code is FailedName {
  return Object.hasOwn(words.failed, code);
}
