import type { CodePolicy } from "../../src/auth/codes/code-policy.ts";
import { codePolicyDefault } from "../../src/auth/codes/code-policy.ts";
import type { CodeStore, IssueOutcome } from "../../src/auth/codes/code-store.ts";
import { FakeClock } from "../support/fake-clock.ts";

export interface OpenedCodeStore extends AsyncDisposable {
  readonly store: CodeStore;
}

/** Opens a store with no codes in it, on the time of `clock`. */
export type OpenCodeStore = (options: {
  readonly policy: CodePolicy;
  readonly clock: FakeClock;
}) => Promise<OpenedCodeStore>;

/** A store with the default budgets on a clock that stands still. */
export async function openOn(open: OpenCodeStore) {
  const clock = new FakeClock();
  const opened = await open({ policy: codePolicyDefault, clock });
  return { ...opened, clock, [Symbol.asyncDispose]: () => opened[Symbol.asyncDispose]() };
}

export const idOf = (outcome: IssueOutcome) =>
  outcome.kind === "rate_limited" ? undefined : outcome.code.messageId;
export const kindOf = (outcome: { readonly kind: string }) => outcome.kind;
