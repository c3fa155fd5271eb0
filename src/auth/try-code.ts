import { isInstantError, unreachable } from "../core/errors.ts";
import type { Log } from "../core/log.ts";
import { maskEmail } from "../core/log.ts";
import type { AuthKeys } from "./auth-keys.ts";
import type { CodePurpose } from "./codes/code.ts";
import { deriveVerifier } from "./codes/code.ts";
import type { CodePolicy } from "./codes/code-policy.ts";
import type { CodeStore } from "./codes/code-store.ts";
import type { LimitPolicy } from "./limits/limit-policy.ts";
import { tryBudgets } from "./limits/limit-policy.ts";
import type { LimitedUse, Limits } from "./limits/limits.ts";
import type { SpentBudget } from "./spent-budget.ts";

export interface TryCodeDeps {
  readonly codes: CodeStore;
  readonly limits: Limits;
  readonly limitPolicy: LimitPolicy;
  readonly keys: AuthKeys;
  readonly log: Log;
}

export interface CodeTry {
  readonly purpose: CodePurpose;
  /** In canonical form. */
  readonly email: string;
  readonly code: string;
  /** Who tries, as it is counted. */
  readonly client: string;
  /** False: a right code stays good. */
  readonly consume: boolean;
}

export type TryCodeOutcome =
  | { readonly kind: "verified"; readonly messageId: string }
  /** With `locked`: it was the last of the budget, which is spent from now on. */
  | { readonly kind: "wrong"; readonly locked: SpentBudget | undefined }
  /** Nothing was compared. */
  | { readonly kind: "spent"; readonly spent: SpentBudget };

/**
 * One entry of a code. What it costs the client is taken before anything is compared, so that many
 * at once get no more than is left, and given back when the code was right.
 */
export async function tryCode(
  { codes, limits, limitPolicy, keys, log }: TryCodeDeps,
  { purpose, email, code, client, consume }: CodeTry,
): Promise<TryCodeOutcome> {
  const use = { use: crypto.randomUUID(), budgets: tryBudgets(limitPolicy, client) };
  const taken = await limits.take(use);
  if (taken.kind === "spent") {
    return { kind: "spent", spent: { ...taken.budget, retryAfterMs: taken.retryAfterMs } };
  }
  const scope = { purpose, email };
  const verifiers = keys.all.map(({ secret }) => deriveVerifier(secret, scope, code));
  const tried = await codes.verify({ ...scope, verifiers, attempt: use.use, consume });
  switch (tried.kind) {
    case "wrong": {
      if (tried.lockedForMs === undefined) return { kind: "wrong", locked: undefined };
      const locked = spentTries(codes.policy, tried.lockedForMs);
      const lockedSeconds = Math.ceil(tried.lockedForMs / 1000);
      const fields = { email: maskEmail(email), purpose, client, lockedSeconds };
      log.warn({ ...fields, scope: locked.scope }, "Address locked");
      return { kind: "wrong", locked };
    }
    case "locked":
      return { kind: "spent", spent: spentTries(codes.policy, tried.retryAfterMs) };
    case "verified":
      await giveBack(limits, use);
      return tried;
    default:
      return unreachable(tried);
  }
}

function spentTries(policy: CodePolicy, retryAfterMs: number): SpentBudget {
  const { triesMax: quota, triesWindowMs: windowMs } = policy;
  return { scope: "tries-per-email", quota, windowMs, retryAfterMs };
}

/** The code is used by now: when the store has just gone away, it costs the client one try. */
async function giveBack(limits: Limits, use: LimitedUse): Promise<void> {
  try {
    await limits.giveBack(use);
  } catch (error) {
    if (!isInstantError(error)) throw error;
  }
}
