// Sign-in's policies with the settings' defaults, written out (a test compares them), and settings
// read from a few variables.
import type { CodePolicy } from "../src/auth/codes/code-store.ts";
import type { LimitPolicy } from "../src/auth/limits/limits.ts";
import type { SessionPolicy } from "../src/auth/sessions/session-store.ts";
import type { ConfigGroup, ConfigProblem, Environment } from "../src/core/config.ts";
import { readConfig, throwProblems } from "../src/core/config.ts";

export const codePolicyDefault: CodePolicy = {
  lifetimeMs: 600_000,
  repeatWindowMs: 60_000,
  repeatsMax: 5,
  codesMax: 5,
  codesWindowMs: 3_600_000,
  attemptsMax: 5,
  attemptsWindowMs: 900_000,
  lockMs: 900_000,
  lockMsMax: 3_600_000,
  lockMemoryMs: 86_400_000,
  deviceLifetimeMs: 180 * 86_400_000,
};

const hourMs = 3_600_000;

export const limitPolicyDefault: LimitPolicy = {
  codesPerClient: { quota: 60, windowMs: hourMs },
  codesPerMailbox: { quota: 10, windowMs: hourMs },
  codesPerNetworkAndMailbox: { quota: 20, windowMs: 24 * hourMs },
  codesGlobal: { quota: 10_000, windowMs: hourMs },
  attemptsPerClient: { quota: 60, windowMs: hourMs },
  attemptsPerNetworkAndMailbox: { quota: 10, windowMs: 24 * hourMs },
  attemptsGlobal: { quota: 10_000, windowMs: hourMs },
  usernamesPerUser: { quota: 10, windowMs: hourMs },
};

const unlimited = { quota: 1_000_000, windowMs: hourMs };

/** For tests of something else that make many requests. */
export const limitPolicyUnlimited: LimitPolicy = {
  codesPerClient: unlimited,
  codesPerMailbox: unlimited,
  codesPerNetworkAndMailbox: unlimited,
  codesGlobal: unlimited,
  attemptsPerClient: unlimited,
  attemptsPerNetworkAndMailbox: unlimited,
  attemptsGlobal: unlimited,
  usernamesPerUser: unlimited,
};

export const sessionPolicyDefault: SessionPolicy = {
  idleMs: 7 * 24 * 3_600_000,
  lifetimeMs: 30 * 24 * 3_600_000,
  touchEveryMs: 60_000,
  perUserMax: 100,
};

/** As `readConfig`, but throws one `config_invalid` with all problems. */
export function parseConfig<const Gs extends Readonly<Record<string, ConfigGroup>>>(
  groups: Gs,
  environment: Environment,
): ReturnType<typeof readConfig<Gs>> {
  const problems: ConfigProblem[] = [];
  const config = readConfig(groups, environment, problems);
  throwProblems(problems);
  return config;
}
