import type { Budget, BudgetPolicy } from "./limits.ts";

/**
 * The budgets above those of one address. They count per client (an IPv4 address, the /64 of an IPv6
 * one) and over all, because somebody who tries many addresses spends no single one's budget. With
 * the defaults a client asks for at most 60 codes and enters at most 60 wrong ones in an hour, and
 * all clients together 10,000 of each. A right code costs nothing.
 */
export interface LimitPolicy {
  readonly codesPerClient: BudgetPolicy;
  readonly codesInAll: BudgetPolicy;
  readonly triesPerClient: BudgetPolicy;
  readonly triesInAll: BudgetPolicy;
}

const hourMs = 3_600_000;

export const limitPolicyDefault: LimitPolicy = {
  codesPerClient: { quota: 60, windowMs: hourMs },
  codesInAll: { quota: 10_000, windowMs: hourMs },
  triesPerClient: { quota: 60, windowMs: hourMs },
  triesInAll: { quota: 10_000, windowMs: hourMs },
};

/** What asking for a code costs. */
export function codeBudgets(policy: LimitPolicy, client: string): readonly Budget[] {
  return [
    { scope: "codes-per-client", subject: client, ...policy.codesPerClient },
    { scope: "codes-in-all", subject: "all", ...policy.codesInAll },
  ];
}

/** What entering a code costs, until it is right. */
export function tryBudgets(policy: LimitPolicy, client: string): readonly Budget[] {
  return [
    { scope: "tries-per-client", subject: client, ...policy.triesPerClient },
    { scope: "tries-in-all", subject: "all", ...policy.triesInAll },
  ];
}
