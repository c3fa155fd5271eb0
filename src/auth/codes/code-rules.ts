import { equalConstantTime } from "../../core/secret.ts";
import type {
  CodePolicy,
  CodePurpose,
  CodeStore,
  IssuedCode,
  IssueOutcome,
  IssueRequest,
  VerifyOutcome,
  VerifyRequest,
} from "./code-store.ts";
import { liveCodesMax } from "./code-store.ts";

/** The state of one address, stored as JSON. The rules change it in place. */
interface CodeState {
  codes: StoredCode[];
  /** Times at which new codes were charged. */
  charges: number[];
  /** Times of wrong attempts since the last lock. */
  attempts: number[];
  locks: number;
  lockedUntil: number;
  /** The attempt that last used a code, to repeat its answer. */
  used: { attempt: string; messageId: string } | undefined;
}

interface StoredCode extends IssuedCode {
  readonly purpose: CodePurpose;
  readonly verifier: string;
  repeats: number;
  /** When it was charged; 0 after a refund. */
  chargedAt: number;
}

export type CodeRule<T> = (state: CodeState, now: number) => T;

/**
 * Implements the calls of a store by the rules, which are the same for every store. `change`
 * applies a rule to the state of an address with `applyRule` and stores the result: in one
 * transaction, or by compare-and-swap, starting over after a lost race.
 */
export function codeCalls(
  policy: CodePolicy,
  change: <T>(email: string, rule: CodeRule<T>) => Promise<T>,
): Pick<CodeStore, "issue" | "refund" | "verify" | "forget"> {
  return {
    issue: (request) =>
      change(request.email, (state, now) => issueCode(state, request, policy, now)),
    refund: ({ email, messageId }) => change(email, (state) => refundCode(state, messageId)),
    verify: (request) =>
      change(request.email, (state, now) => verifyCode(state, request, policy, now)),
    forget: (email) => change(email, forgetCodes),
  };
}

/** `text`: the stored state, "" for none; `now`: by the store's clock. */
interface StoredCodes {
  readonly text: string;
  readonly policy: CodePolicy;
  readonly now: number;
}

/** The outcome, the state to store, and when all of it has expired and may be deleted. */
interface DecidedCodes<T> {
  readonly outcome: T;
  readonly text: string;
  readonly endsAt: number;
}

export function applyRule<T>(rule: CodeRule<T>, stored: StoredCodes): DecidedCodes<T> {
  const { text, policy, now } = stored;
  const state = decodeState(text);
  ageCodes(state, policy, now);
  const outcome = rule(state, now);
  return { outcome, text: JSON.stringify(state), endsAt: codeStateEndsAt(state, policy, now) };
}

/** `tries`: the name of the attempts in versions whose rules were in Lua. */
type StoredCodeState = Partial<CodeState> & { readonly tries?: number[] };

function decodeState(text: string): CodeState {
  const stored = (text === "" ? {} : JSON.parse(text)) as StoredCodeState;
  return {
    codes: listOf(stored.codes),
    charges: listOf(stored.charges),
    attempts: listOf(stored.attempts ?? stored.tries),
    locks: stored.locks ?? 0,
    lockedUntil: stored.lockedUntil ?? 0,
    used: stored.used,
  };
}

/** Versions whose rules were in Lua wrote an empty list as {}. */
function listOf<T>(list: T[] | undefined): T[] {
  return Array.isArray(list) ? list : [];
}

/** Drops what has expired, so the rules see only what is live. */
function ageCodes(state: CodeState, policy: CodePolicy, now: number): void {
  state.codes = state.codes.filter((code) => code.expiresAt > now);
  state.charges = state.charges.filter((at) => at > now - policy.codesWindowMs);
  state.attempts = state.attempts.filter((at) => at > now - policy.attemptsWindowMs);
  if (state.lockedUntil + policy.lockMemoryMs <= now) state.locks = 0;
}

function codeStateEndsAt(state: CodeState, policy: CodePolicy, now: number): number {
  return Math.max(
    now + policy.lifetimeMs, // of `used`
    now + policy.attemptsWindowMs,
    now + policy.codesWindowMs,
    state.locks > 0 ? state.lockedUntil + policy.lockMemoryMs : 0,
  );
}

function issueCode(
  state: CodeState,
  request: IssueRequest,
  policy: CodePolicy,
  now: number,
): IssueOutcome {
  const sameCall = state.codes.find((code) => code.messageId === request.messageId);
  if (sameCall !== undefined) return { kind: "issued", code: shown(sameCall) };
  const newest = state.codes.findLast((code) => code.purpose === request.purpose);
  if (newest !== undefined && newest.messageId !== request.supersedes) {
    const repeatableMs = newest.timestamp + policy.repeatWindowMs - now;
    if (repeatableMs > 0 && newest.chargedAt > 0) {
      if (newest.repeats >= policy.repeatsMax) {
        return { kind: "rate_limited", limit: "repeats", retryAfterMs: repeatableMs };
      }
      newest.repeats += 1;
      return { kind: "repeated", code: shown(newest) };
    }
    if (repeatableMs > 0 && state.charges.length < policy.codesMax) {
      charge(state, newest, now);
      return { kind: "repeated", code: shown(newest), charged: true };
    }
  }
  const oldest = state.charges[0];
  if (oldest !== undefined && state.charges.length >= policy.codesMax) {
    return {
      kind: "rate_limited",
      limit: "codes",
      retryAfterMs: oldest + policy.codesWindowMs - now,
    };
  }
  const code: StoredCode = {
    purpose: request.purpose,
    messageId: request.messageId,
    timestamp: now,
    expiresAt: now + policy.lifetimeMs,
    keyId: request.keyId,
    verifier: request.verifier(),
    data: request.data,
    repeats: 0,
    chargedAt: 0,
  };
  charge(state, code, now);
  state.codes = [...state.codes, code].slice(-liveCodesMax(policy));
  return { kind: "issued", code: shown(code) };
}

function refundCode(state: CodeState, messageId: string): void {
  const code = state.codes.find((stored) => stored.messageId === messageId);
  if (code === undefined) return;
  if (code.repeats > 0) {
    code.repeats -= 1;
    return;
  }
  const index = state.charges.indexOf(code.chargedAt);
  if (index >= 0) state.charges.splice(index, 1);
  code.chargedAt = 0;
}

function verifyCode(
  state: CodeState,
  request: VerifyRequest,
  policy: CodePolicy,
  now: number,
): VerifyOutcome {
  const { used } = state;
  if (used?.attempt === request.attempt) return { kind: "verified", messageId: used.messageId };
  if (state.lockedUntil > now) return { kind: "locked", retryAfterMs: state.lockedUntil - now };
  let matched: string | undefined;
  for (const code of state.codes) {
    for (const verifier of request.verifiers) {
      const equal = equalConstantTime(code.verifier, verifier);
      if (equal && code.purpose === request.purpose) matched = code.messageId;
    }
  }
  if (matched === undefined) return countWrongAttempt(state, policy, now);
  if (request.consume) {
    state.codes = state.codes.filter((code) => code.purpose !== request.purpose);
    state.used = { attempt: request.attempt, messageId: matched };
    state.locks = 0;
  }
  return { kind: "verified", messageId: matched };
}

function forgetCodes(state: CodeState): void {
  state.codes = [];
  state.used = undefined;
}

function countWrongAttempt(state: CodeState, policy: CodePolicy, now: number): VerifyOutcome {
  state.attempts.push(now);
  if (state.attempts.length < policy.attemptsMax) return { kind: "wrong" };
  const lockedForMs = Math.min(policy.lockMs * 2 ** state.locks, policy.lockMsMax);
  state.attempts = [];
  state.locks += 1;
  state.lockedUntil = now + lockedForMs;
  return { kind: "wrong", lockedForMs };
}

function charge(state: CodeState, code: StoredCode, now: number): void {
  state.charges.push(now);
  code.chargedAt = now;
}

function shown({ messageId, timestamp, expiresAt, keyId, data }: StoredCode): IssuedCode {
  return { messageId, timestamp, expiresAt, keyId, data };
}
