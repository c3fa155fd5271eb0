import type { CodePolicy, CodePurpose } from "../../src/auth/codes/code.ts";
import { codePolicyDefault, deriveVerifier } from "../../src/auth/codes/code.ts";
import type {
  CodeStore,
  IssueOutcome,
  IssueRequest,
  VerifyRequest,
} from "../../src/auth/codes/code-store.ts";
import { FakeClock } from "./fake-clock.ts";

const secret = "a secret of tests";

interface CodeFields {
  readonly purpose?: CodePurpose;
  readonly code?: string;
}

/** An issue of a code of the test's choice, where the program would derive it. */
export function codeIssue(
  email: string,
  messageId: string,
  { purpose = "sign_in", code = "000000", ...rest }: CodeFields & { supersedes?: string } = {},
): IssueRequest {
  return {
    email,
    purpose,
    messageId,
    keyId: "key",
    verifier: () => deriveVerifier(secret, { email, purpose }, code),
    data: '{"expires_in":"10m"}',
    ...rest,
  };
}

export function codeTry(
  email: string,
  code: string,
  { purpose = "sign_in", consume = true }: CodeFields & { consume?: boolean } = {},
): VerifyRequest {
  return {
    email,
    purpose,
    verifiers: [deriveVerifier(secret, { email, purpose }, code)],
    attempt: crypto.randomUUID(),
    consume,
  };
}

interface OpenedCodeStore extends AsyncDisposable {
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
