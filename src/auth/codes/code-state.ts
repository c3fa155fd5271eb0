import { equalConstantTime } from "../../core/secret.ts";
import type { CodePurpose } from "./code.ts";
import type { CodePolicy } from "./code-policy.ts";
import { liveCodesMax } from "./code-policy.ts";
import type {
  IssuedCode,
  IssueOutcome,
  IssueRequest,
  VerifyOutcome,
  VerifyRequest,
} from "./code-store.ts";

/**
 * What the store remembers of one address, and its changes. Pure but for the state they are
 * given, which they change in place. `redis-state.lua` says the same in Lua, because there a try
 * must be one step of the server; a test plays both against each other.
 */
export interface CodeState {
  codes: StoredCode[];
  /** Times at which new codes were charged. */
  charges: number[];
  /** Times of wrong tries since the last lock. */
  tries: number[];
  locks: number;
  lockedUntil: number;
  /** The try that used a code last, to answer it again. */
  used: { attempt: string; messageId: string } | undefined;
}

interface StoredCode extends IssuedCode {
  readonly purpose: CodePurpose;
  readonly verifier: string;
  repeats: number;
  /** When it was charged; 0: it was refunded. */
  chargedAt: number;
}

export function createCodeState(): CodeState {
  return { codes: [], charges: [], tries: [], locks: 0, lockedUntil: 0, used: undefined };
}

/** Drops what is over, so that the changes below see live things only. */
export function ageCodes(state: CodeState, policy: CodePolicy, now: number): void {
  state.codes = state.codes.filter((code) => code.expiresAt > now);
  state.charges = state.charges.filter((at) => at > now - policy.codesWindowMs);
  state.tries = state.tries.filter((at) => at > now - policy.triesWindowMs);
  if (state.lockedUntil + policy.lockMemoryMs <= now) state.locks = 0;
}

export function issueCode(
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
      return { kind: "repeated", code: shown(newest) };
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
    verifier: request.verifier,
    data: request.data,
    repeats: 0,
    chargedAt: 0,
  };
  charge(state, code, now);
  state.codes = [...state.codes, code].slice(-liveCodesMax(policy));
  return { kind: "issued", code: shown(code) };
}

export function refundCode(state: CodeState, messageId: string): void {
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

export function verifyCode(
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
  if (matched === undefined) return countWrongTry(state, policy, now);
  if (request.consume) {
    state.codes = state.codes.filter((code) => code.purpose !== request.purpose);
    state.used = { attempt: request.attempt, messageId: matched };
    state.locks = 0;
  }
  return { kind: "verified", messageId: matched };
}

export function forgetCodes(state: CodeState): void {
  state.codes = [];
  state.used = undefined;
}

/** When all of it is over and the state may be forgotten. */
export function codeStateEndsAt(state: CodeState, policy: CodePolicy, now: number): number {
  return Math.max(
    now + policy.lifetimeMs, // of `used`
    now + policy.triesWindowMs,
    now + policy.codesWindowMs,
    state.locks > 0 ? state.lockedUntil + policy.lockMemoryMs : 0,
  );
}

function countWrongTry(state: CodeState, policy: CodePolicy, now: number): VerifyOutcome {
  state.tries.push(now);
  if (state.tries.length < policy.triesMax) return { kind: "wrong" };
  const lockedForMs = Math.min(policy.lockMs * 2 ** state.locks, policy.lockMsMax);
  state.tries = [];
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
