import type { ErrorRow } from "../core/errors.ts";
import type { HttpContext } from "../core/http/environment.ts";
import { problemResponse } from "../core/http/problem.ts";
import type { Log } from "../core/log.ts";
import type { Clock } from "../core/time.ts";
import type { Limits, RateLimit } from "./limits/limits.ts";

/** A budget that is used up, as the person who met it is told. */
export interface ExhaustedLimit {
  /** What was counted, in kebab-case: "attempts-per-email". */
  readonly scope: string;
  readonly quota: number;
  readonly windowMs: number;
  readonly retryAfterMs: number;
}

/** One budget as a caller sees it: `quota` uses per `windowSeconds`. */
interface RateLimitState {
  /** A short name in kebab-case: "codes-per-email". */
  readonly policy: string;
  readonly quota: number;
  readonly windowSeconds: number;
  readonly remaining: number;
  /** Seconds until there is something left again. */
  readonly resetSeconds: number;
}

/** `RateLimit` and `RateLimit-Policy` (IETF draft-ietf-httpapi-ratelimit-headers). */
function rateLimitHeaders(state: RateLimitState): Readonly<Record<string, string>> {
  const { policy, quota, windowSeconds, remaining, resetSeconds } = state;
  return {
    RateLimit: `"${policy}";r=${remaining};t=${resetSeconds}`,
    "RateLimit-Policy": `"${policy}";q=${quota};w=${windowSeconds}`,
  };
}

/**
 * What a wrong code is answered. The last one of the budget says that the address is locked now, with
 * the members `scope` and `retryAfterSeconds` that every further try will be told as a 429.
 */
export function wrongCodeResponse(
  context: HttpContext,
  row: ErrorRow,
  locked: ExhaustedLimit | undefined,
): Response {
  if (locked === undefined) return problemResponse(context, row);
  const { scope } = locked;
  const retryAfterSeconds = retryAfterSecondsOf(locked);
  const wait = `Too many were wrong: no code is taken for ${formatWait(retryAfterSeconds)}.`;
  return problemResponse(context, row, {
    detail: `${row.meaning}. ${wait}`,
    members: { scope, retryAfterSeconds },
  });
}

/** 429 that says what was spent and when there is some again. */
export function rateLimitedResponse(
  context: HttpContext,
  row: ErrorRow,
  limit: ExhaustedLimit,
): Response {
  const { scope, quota } = limit;
  const retryAfterSeconds = retryAfterSecondsOf(limit);
  return problemResponse(context, row, {
    detail: `${row.meaning}; try again in ${formatWait(retryAfterSeconds)}.`,
    retryAfterSeconds,
    members: { scope },
    headers: rateLimitHeaders({
      policy: scope,
      quota,
      windowSeconds: Math.ceil(limit.windowMs / 1000),
      remaining: 0,
      resetSeconds: retryAfterSeconds,
    }),
  });
}

function retryAfterSecondsOf({ retryAfterMs }: ExhaustedLimit): number {
  return Math.max(1, Math.ceil(retryAfterMs / 1000));
}

function formatWait(seconds: number): string {
  const [count, unit] = seconds < 120 ? [seconds, "second"] : [Math.ceil(seconds / 60), "minute"];
  return count === 1 ? `1 ${unit}` : `${count} ${unit}s`;
}

/** Budgets whose line is remembered; beyond it the oldest may be told again before its time. */
const warnedMax = 1_000;

/**
 * The same limits, with a warning in the log when one of them is found spent: once per budget and
 * window in each process, however many requests meet it. A line costs a client its whole budget, so
 * nobody fills the log: with the default limits at most 166 clients can spend theirs in an hour
 * before the budget of all is spent too.
 */
export function logExhaustedLimits(
  limits: Limits,
  { clock, log }: { readonly clock: Clock; readonly log: Log },
): Limits {
  /** Until when each spent budget is told, the oldest first. */
  const warnedUntil = new Map<string, number>();

  function warnOnce(limit: RateLimit, retryAfterMs: number): void {
    const { scope, subject, quota, windowMs } = limit;
    const name = `${scope}:${subject}`;
    const now = clock.now();
    if ((warnedUntil.get(name) ?? 0) > now) return;
    warnedUntil.delete(name); // so that it becomes the newest
    warnedUntil.set(name, now + windowMs);
    const [oldest = name] = warnedUntil.keys();
    if (warnedUntil.size > warnedMax) warnedUntil.delete(oldest);
    const retryAfterSeconds = Math.ceil(retryAfterMs / 1000);
    const clientField = subject === "all" ? {} : { client: subject };
    const windowSeconds = Math.ceil(windowMs / 1000);
    log.warn(
      { scope, ...clientField, quota, windowSeconds, retryAfterSeconds },
      "Rate limit exceeded",
    );
  }

  return {
    ...limits,
    take: async (request) => {
      const outcome = await limits.take(request);
      if (outcome.kind === "rate_limited") warnOnce(outcome.limit, outcome.retryAfterMs);
      return outcome;
    },
  };
}
