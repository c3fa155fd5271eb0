import type { Metrics } from "../core/metrics.ts";
import type { CodeStore } from "./codes/code-store.ts";
import type { Limits } from "./limits/limits.ts";

export interface CountedStores {
  readonly codes: CodeStore;
  readonly limits: Limits;
}

/**
 * Counts what the stores of codes and limits answer, whichever page or call asked: the same stores
 * to whoever uses them.
 */
export function createStoreMetrics(metrics: Metrics): (stores: CountedStores) => CountedStores {
  const issues = metrics.counter({
    name: "instant_auth_codes_asked_total",
    help: "Codes that were asked for: issued, repeated (the same mail again), or spent (none left).",
    labels: ["purpose", "outcome"],
  });
  const checks = metrics.counter({
    name: "instant_auth_codes_entered_total",
    help: "Codes that were entered: verified, wrong, or locked (too many wrong ones before).",
    labels: ["purpose", "outcome"],
  });
  const spent = metrics.counter({
    name: "instant_auth_limits_spent_total",
    help: "Requests that were refused because a budget was spent, by what is counted.",
    labels: ["scope"],
  });
  return (stores) => ({ codes: countCodes(stores.codes), limits: countLimits(stores.limits) });

  function countCodes(codes: CodeStore): CodeStore {
    return {
      ...codes,
      issue: async (request) => {
        const outcome = await codes.issue(request);
        issues.add({ purpose: request.purpose, outcome: outcome.kind });
        if (outcome.kind === "spent") {
          spent.add({ scope: outcome.budget === "codes" ? "codes-per-email" : "repeats-per-code" });
        }
        return outcome;
      },
      verify: async (request) => {
        const outcome = await codes.verify(request);
        checks.add({ purpose: request.purpose, outcome: outcome.kind });
        if (outcome.kind === "locked") spent.add({ scope: "tries-per-email" });
        return outcome;
      },
    };
  }

  function countLimits(limits: Limits): Limits {
    return {
      ...limits,
      take: async (request) => {
        const outcome = await limits.take(request);
        if (outcome.kind === "spent") spent.add({ scope: outcome.budget.scope });
        return outcome;
      },
    };
  }
}
