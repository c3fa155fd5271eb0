import type {
  CodePolicy,
  CodePurpose,
  CodeStore,
  IssueOutcome,
  IssueRequest,
  VerifyRequest,
} from "../../src/auth/codes/code-store.ts";
import { deriveVerifier, liveCodesMax } from "../../src/auth/codes/code-store.ts";
import { codePolicyDefault } from "../../support/settings.ts";
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
  {
    purpose = "sign_in",
    code = "000000",
    ...rest
  }: CodeFields & { supersedes?: string; device?: string } = {},
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
  {
    purpose = "sign_in",
    consume = true,
    ...rest
  }: CodeFields & Partial<Pick<VerifyRequest, "consume" | "attempt" | "device" | "remember">> = {},
): VerifyRequest {
  return {
    email,
    purpose,
    verifiers: [deriveVerifier(secret, { email, purpose }, code)],
    attempt: crypto.randomUUID(),
    consume,
    ...rest,
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
  "code" in outcome ? outcome.code.messageId : undefined;
export const kindOf = (outcome: { readonly kind: string }) => outcome.kind;

const hourMs = 3_600_000;

/** What is promised about guessing the codes of one address, from the settings alone. */
interface GuessOdds {
  readonly guessesPerHourMax: number;
  readonly guessesPerDayMax: number;
  readonly liveCodesMax: number;
  /** A guess at a live code is one chance in a million. */
  readonly chancesPerHourMax: number;
  readonly chancesPerDayMax: number;
}

/**
 * The formula of `docs/security.md`. The last wrong code of a budget locks, so in less than the
 * shorter of the window and the first lock there are never more than `attemptsMax` guesses; and a code
 * meets those that fall into its life.
 */
export function guessOdds(policy: CodePolicy): GuessOdds {
  const roundMs = Math.min(policy.attemptsWindowMs, policy.lockMs);
  const guessesIn = (durationMs: number) => policy.attemptsMax * Math.ceil(durationMs / roundMs);
  const codesPerHour = (policy.codesMax * hourMs) / policy.codesWindowMs;
  const chancesPerHourMax = codesPerHour * guessesIn(policy.lifetimeMs);
  return {
    guessesPerHourMax: guessesIn(hourMs),
    guessesPerDayMax: guessesIn(24 * hourMs),
    liveCodesMax: liveCodesMax(policy),
    chancesPerHourMax,
    chancesPerDayMax: 24 * chancesPerHourMax,
  };
}
