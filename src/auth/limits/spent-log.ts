import type { Clock } from "../../core/clock.ts";
import type { Log } from "../../core/log.ts";
import type { Budget, Limits } from "./limits.ts";

/** Budgets whose line is remembered; beyond it the oldest may be told again before its time. */
const toldMax = 1_000;

/**
 * The same limits, with a warning in the log when one of them is found spent: once per budget and
 * window in each process, however many requests meet it. A line costs a client its whole budget, so
 * nobody fills the log: with the default limits at most 166 clients can spend theirs in an hour
 * before the budget of all is spent too.
 */
export function logSpentBudgets(
  limits: Limits,
  { clock, log }: { readonly clock: Clock; readonly log: Log },
): Limits {
  /** Until when each spent budget is told, the oldest first. */
  const toldUntil = new Map<string, number>();

  function tell(budget: Budget, retryAfterMs: number): void {
    const { scope, subject, quota, windowMs } = budget;
    const name = `${scope}:${subject}`;
    const now = clock.now();
    if ((toldUntil.get(name) ?? 0) > now) return;
    toldUntil.delete(name); // so that it becomes the newest
    toldUntil.set(name, now + windowMs);
    const [oldest = name] = toldUntil.keys();
    if (toldUntil.size > toldMax) toldUntil.delete(oldest);
    const retryAfterSeconds = Math.ceil(retryAfterMs / 1000);
    const whose = subject === "all" ? {} : { client: subject };
    const windowSeconds = Math.ceil(windowMs / 1000);
    log.warn({ scope, ...whose, quota, windowSeconds, retryAfterSeconds }, "Budget spent");
  }

  return {
    ...limits,
    take: async (request) => {
      const outcome = await limits.take(request);
      if (outcome.kind === "spent") tell(outcome.budget, outcome.retryAfterMs);
      return outcome;
    },
  };
}
