import type { ErrorRow } from "../core/errors.ts";
import type { HttpContext } from "../core/http/environment.ts";
import { problemResponse } from "../core/http/problem.ts";
import { rateLimitHeaders } from "../core/http/rate-limit.ts";
import type { SpentBudget } from "./spent-budget.ts";

/** 429 that says what was spent and when there is some again. */
export function spentResponse(context: HttpContext, row: ErrorRow, spent: SpentBudget): Response {
  const { scope, quota } = spent;
  const retryAfterSeconds = Math.max(1, Math.ceil(spent.retryAfterMs / 1000));
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

function inWords(seconds: number): string {
  const [count, unit] = seconds < 120 ? [seconds, "second"] : [Math.ceil(seconds / 60), "minute"];
  return count === 1 ? `1 ${unit}` : `${count} ${unit}s`;
}
