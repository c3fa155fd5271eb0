import type { ErrorRow } from "../core/errors.ts";
import { InstantError, isInstantError } from "../core/errors.ts";
import type { Failure } from "../core/http/problem.ts";
import type { Log } from "../core/log.ts";
import { maskEmail } from "../core/log.ts";
import type { Clock } from "../core/time.ts";
import type { LimitedUse, Limits, RateLimit, TakeOutcome } from "./limits/limits.ts";
import { authErrors } from "./schemas.ts";

/** An exhausted budget, as the response names it. */
export interface ExhaustedLimit {
  /** The limit's name, in kebab-case: "attempts-per-email". */
  readonly scope: string;
  readonly quota: number;
  readonly windowMs: number;
  readonly retryAfterMs: number;
}

const lockScopes = { address: "attempts-per-email", device: "attempts-per-device" } as const;
/** The budget of wrong codes from one network, from which each code requested there exempts once. */
const earnableScope = "attempts-per-network-and-mailbox";

/** The budget of wrong codes for an address or a known device: once it is exhausted, it is locked. */
export function attemptsScopeOf(device: string | undefined): string {
  return device === undefined ? lockScopes.address : lockScopes.device;
}

/** The budget of codes for an address or a known device, or of repeats of the newest one. */
export function codesScopeOf(limit: "codes" | "repeats", device: string | undefined): string {
  if (limit === "repeats") return "repeats-per-code";
  return device === undefined ? "codes-per-email" : "codes-per-device";
}

export function exhaustedLimit(
  taken: Extract<TakeOutcome, { kind: "rate_limited" }>,
): ExhaustedLimit {
  return { ...taken.limit, retryAfterMs: taken.retryAfterMs };
}

/**
 * Gives back a use that had no effect. Best effort, because the caller's outcome stands already: if the
 * store fails here, the uses stay counted until they leave their windows.
 */
export async function giveBack(
  limits: Limits,
  use: Pick<LimitedUse, "use" | "limits">,
): Promise<void> {
  try {
    await limits.giveBack(use);
  } catch (error) {
    if (!isInstantError(error)) throw error;
  }
}

/**
 * The 429 of an exhausted budget: names it and when to try again, with the headers of the IETF
 * draft-ietf-httpapi-ratelimit-headers. `ofAddress`: the row for the budgets of one address,
 * mailbox or known device; the others are "too many requests".
 */
export function rateLimitedError(
  { scope, quota, windowMs, retryAfterMs }: ExhaustedLimit,
  ofAddress: typeof authErrors.tooManyCodes | typeof authErrors.tooManyAttempts,
): InstantError {
  const isOfAddress = /-(?:email|code|mailbox|device)$/.test(scope);
  const row = isOfAddress ? ofAddress : authErrors.tooManyRequests;
  const retryAfterSeconds = wholeSeconds(retryAfterMs);
  const sooner = scope === earnableScope ? "request a new code, or " : "";
  return new InstantError(row, {
    detail: `${row.meaning}; ${sooner}try again in ${formatWait(retryAfterSeconds)}.`,
    details: {
      retryAfterSeconds,
      members: { scope },
      headers: {
        RateLimit: `"${scope}";r=0;t=${retryAfterSeconds}`,
        "RateLimit-Policy": `"${scope}";q=${quota};w=${Math.ceil(windowMs / 1000)}`,
      },
    },
  });
}

/**
 * The problem of a wrong code. The one that exhausts the budget says that the address is now locked,
 * with the members `scope` and `retryAfterSeconds` that each later code gets with its 429.
 */
export function wrongCodeError(row: ErrorRow, locked: ExhaustedLimit | undefined): InstantError {
  if (locked === undefined) return new InstantError(row);
  const { scope, retryAfterMs } = locked;
  const retryAfterSeconds = wholeSeconds(retryAfterMs);
  const wait = `Too many wrong codes: no code is accepted for ${formatWait(retryAfterSeconds)}.`;
  return new InstantError(row, {
    detail: `${row.meaning}. ${wait}`,
    details: { members: { scope, retryAfterSeconds } },
  });
}

/** How long the address is locked after either of the two; undefined if it is not. */
export function lockedSeconds({ members, retryAfterSeconds }: Failure): number | undefined {
  const scope = members?.["scope"];
  if (scope !== lockScopes.address && scope !== lockScopes.device) return undefined;
  return retryAfterSeconds ?? Number(members?.["retryAfterSeconds"]);
}

function wholeSeconds(ms: number): number {
  return Math.max(1, Math.ceil(ms / 1000));
}

function formatWait(seconds: number): string {
  if (seconds < 120) return seconds === 1 ? "1 second" : `${seconds} seconds`;
  const minutes = Math.ceil(seconds / 60);
  return minutes < 120 ? `${minutes} minutes` : `${Math.ceil(minutes / 60)} hours`;
}

/** Budgets that are remembered as logged; beyond that the oldest may be logged again early. */
const warnedMax = 1_000;

/**
 * Wraps limits to log a warning when one is exhausted: once per budget and window in each process,
 * however many requests are refused. Each line takes an exhausted budget, so nobody can flood the
 * log: the 600 codes and 600 wrong codes of a network in an hour exhaust those of some 120 mailboxes.
 */
export function logExhaustedLimits(
  limits: Limits,
  { clock, log }: { readonly clock: Clock; readonly log: Log },
): Limits {
  /** When each exhausted budget may be logged again, oldest first. */
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
    const windowSeconds = Math.ceil(windowMs / 1000);
    const fields = { quota, windowSeconds, retryAfterSeconds };
    log.warn({ scope, ...subjectFields(subject), ...fields }, "Rate limit exceeded");
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

/** Networks and mailboxes, the latter masked; nobody for a global budget. */
function subjectFields(subject: string): { readonly client?: string; readonly email?: string } {
  const fields = subject.split(" ").map((each) => {
    if (each === "all") return {};
    return each.includes("@") ? { email: maskEmail(each) } : { client: each };
  });
  return Object.assign({}, ...fields);
}
