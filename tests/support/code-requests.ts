import type { CodePurpose } from "../../src/auth/codes/code.ts";
import { deriveVerifier } from "../../src/auth/codes/code.ts";
import type { IssueRequest, VerifyRequest } from "../../src/auth/codes/code-store.ts";

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
    verifier: deriveVerifier(secret, { email, purpose }, code),
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
