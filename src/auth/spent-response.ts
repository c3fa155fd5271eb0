import type { ErrorRow } from "../core/errors.ts";
import type { HttpContext } from "../core/http/environment.ts";
import { problemResponse } from "../core/http/problem.ts";
import { rateLimitHeaders } from "../core/http/rate-limit.ts";
import type { SpentBudget } from "./spent-budget.ts";

/**
 * What a wrong code is answered. The last one of the budget says that the address is locked now, with
 * the members `scope` and `retryAfterSeconds` that every further try will be told as a 429.
 */
export function wrongCodeResponse(
  context: HttpContext,
  row: ErrorRow,
  locked: SpentBudget | undefined,
): Response {
  if (locked === undefined) return problemResponse(context, row);
  const { scope } = locked;
  const retryAfterSeconds = retryAfterSecondsOf(locked);
  const wait = `Too many were wrong: no code is taken for ${inWords(retryAfterSeconds)}.`;
  return problemResponse(context, row, {
    detail: `${row.meaning}. ${wait}`,
    members: { scope, retryAfterSeconds },
  });
}

/** 429 that says what was spent and when there is some again. */
export function spentResponse(context: HttpContext, row: ErrorRow, spent: SpentBudget): Response {
  const { scope, quota } = spent;
  const retryAfterSeconds = retryAfterSecondsOf(spent);
  return problemResponse(context, row, {
    detail: `${row.meaning}; try again in ${inWords(retryAfterSeconds)}.`,
    retryAfterSeconds,
    members: { scope },
    headers: rateLimitHeaders({
      policy: scope,
      quota,
      windowSeconds: Math.ceil(spent.windowMs / 1000),
      remaining: 0,
      resetSeconds: retryAfterSeconds,
    }),
  });
}

function retryAfterSecondsOf({ retryAfterMs }: SpentBudget): number {
  return Math.max(1, Math.ceil(retryAfterMs / 1000));
}

function inWords(seconds: number): string {
  const [count, unit] = seconds < 120 ? [seconds, "second"] : [Math.ceil(seconds / 60), "minute"];
  return count === 1 ? `1 ${unit}` : `${count} ${unit}s`;
}
