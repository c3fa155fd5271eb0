import { equalConstantTime } from "../../core/secret.ts";
import type {
  CodePolicy,
  CodePurpose,
  CodeStore,
  ForgottenDevices,
  IssuedCode,
  IssueOutcome,
  IssueRequest,
  VerifyOutcome,
  VerifyRequest,
} from "./code-store.ts";
import { deviceAttemptsMax, knownDevicesMax, liveCodesMax } from "./code-store.ts";

/** What requests for new codes take from: the address's budget, or that of a known device. */
interface CodeBudget {
  /** Of a device. */
  readonly id?: string;
  /** Times at which new codes were charged. */
  charges: number[];
}

/** The state of one address, stored as JSON. The rules change it in place. */
interface CodeState extends CodeBudget {
  codes: StoredCode[];
  /** Times of wrong attempts since the last lock. */
  attempts: number[];
  locks: number;
  lockedUntil: number;
  /** The code that was used last, and by which attempt, to repeat its answer. */
  used: UsedCode | undefined;
  /** The newest sign-in first. */
  devices: KnownDevice[];
}

interface StoredCode extends IssuedCode {
  readonly purpose: CodePurpose;
  readonly verifier: string;
  /** The known device that requested it. */
  device?: string | undefined;
  repeats: number;
  /** When it was charged; 0 after a refund. */
  chargedAt: number;
}

interface UsedCode extends Pick<StoredCode, "purpose" | "verifier" | "messageId" | "expiresAt"> {
  readonly attempt: string;
  /** Whether it was entered on a known device. */
  readonly known: boolean;
}

interface KnownDevice extends CodeBudget {
  readonly id: string;
  readonly signedInAt: number;
  /** Wrong attempts since the sign-in. */
  wrong: number;
  lockedUntil: number;
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
): Omit<CodeStore, "policy" | "embedded" | "prepare" | "ping"> {
  return {
    issue: (request) =>
      change(request.email, (state, now) => issueCode(state, request, policy, now)),
    refund: ({ email, messageId }) => change(email, (state) => refundCode(state, messageId)),
    verify: (request) =>
      change(request.email, (state, now) => verifyCode(state, request, policy, now)),
    forget: (email) => change(email, forgetCodes),
    forgetDevices: (request) => change(request.email, (state) => forgetDevices(state, request)),
    lockedUntil: ({ email, device }) =>
      change(email, (state) => {
        const known = findDevice(state, device);
        return (known === "unknown" ? state : (known ?? state)).lockedUntil;
      }),
    unlock: (email) => change(email, unlock),
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
    devices: listOf(stored.devices),
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
  // Without a time: written by a version that only repeated its answer.
  if ((state.used?.expiresAt ?? 0) <= now) state.used = undefined;
  state.devices = state.devices.filter((one) => one.signedInAt > now - policy.deviceLifetimeMs);
  for (const device of state.devices) {
    device.charges = device.charges.filter((at) => at > now - policy.codesWindowMs);
  }
}

function codeStateEndsAt(state: CodeState, policy: CodePolicy, now: number): number {
  const [newest] = state.devices;
  return Math.max(
    now + policy.lifetimeMs, // of `used`
    now + policy.attemptsWindowMs,
    now + policy.codesWindowMs,
    state.locks > 0 ? state.lockedUntil + policy.lockMemoryMs : 0,
    newest === undefined ? 0 : newest.signedInAt + policy.deviceLifetimeMs,
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
  const device = findDevice(state, request.device);
  if (device === "unknown") return { kind: "unknown_device" };
  const budget = device ?? state;
  const newest = state.codes.findLast((code) => code.purpose === request.purpose);
  if (newest !== undefined && newest.messageId !== request.supersedes) {
    const repeatableMs = newest.timestamp + policy.repeatWindowMs - now;
    if (repeatableMs > 0 && newest.chargedAt > 0) {
      if (newest.repeats < policy.repeatsMax) {
        newest.repeats += 1;
        return { kind: "repeated", code: shown(newest) };
      }
      // Anybody may have used up the repeats: a known device gets a code of its own instead.
      if (device === undefined) {
        return { kind: "rate_limited", limit: "repeats", retryAfterMs: repeatableMs };
      }
    } else if (repeatableMs > 0 && budget.charges.length < policy.codesMax) {
      charge(budget, newest, now);
      return { kind: "repeated", code: shown(newest), charged: true };
    }
  }
  const oldest = budget.charges[0];
  if (oldest !== undefined && budget.charges.length >= policy.codesMax) {
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
  charge(budget, code, now);
  keepLive(state, code, policy);
  return { kind: "issued", code: shown(code) };
}

/** Beyond the maximum an earlier code ends, and those that known devices requested end last. */
function keepLive(state: CodeState, code: StoredCode, policy: CodePolicy): void {
  if (state.codes.length >= liveCodesMax(policy)) {
    const oldest = state.codes.findIndex(({ device }) => device === undefined);
    state.codes.splice(Math.max(0, oldest), 1);
  }
  state.codes.push(code);
}

function refundCode(state: CodeState, messageId: string): void {
  const code = state.codes.find((stored) => stored.messageId === messageId);
  if (code === undefined) return;
  if (code.repeats > 0) {
    code.repeats -= 1;
    return;
  }
  const { charges } = state.devices.find(({ id }) => id === code.device) ?? state;
  const index = charges.indexOf(code.chargedAt);
  if (index >= 0) charges.splice(index, 1);
  code.chargedAt = 0;
}

function verifyCode(
  state: CodeState,
  request: VerifyRequest,
  policy: CodePolicy,
  now: number,
): VerifyOutcome {
  const { used } = state;
  if (used?.attempt === request.attempt) {
    return { kind: "verified", messageId: used.messageId, known: used.known, repeated: true };
  }
  const device = findDevice(state, request.device);
  if (device === "unknown") return { kind: "unknown_device" };
  const known = device !== undefined;
  const { lockedUntil } = device ?? state;
  if (lockedUntil > now) return { kind: "locked", retryAfterMs: lockedUntil - now };
  const isMatch = ({ purpose, verifier }: Pick<StoredCode, "purpose" | "verifier">) => {
    const equal = request.verifiers.filter((one) => equalConstantTime(verifier, one)).length > 0;
    return equal && purpose === request.purpose;
  };
  const matched = state.codes.filter(isMatch).at(-1);
  const wasUsed = used !== undefined && isMatch(used);
  if (matched === undefined) {
    if (wasUsed) return { kind: "used" };
    return device === undefined
      ? countWrongAttempt(state, policy, now)
      : countOnDevice(state, device, policy, now);
  }
  const { purpose, verifier, messageId, expiresAt } = matched;
  if (request.consume) {
    state.codes = state.codes.filter((code) => code.purpose !== request.purpose);
    state.used = { attempt: request.attempt, known, purpose, verifier, messageId, expiresAt };
    if (device === undefined) state.locks = 0; // a known one leaves the lock of others alone
    rememberDevice(state, request, device, now);
  }
  return { kind: "verified", messageId, known, repeated: false };
}

function findDevice(state: CodeState, id: string | undefined): KnownDevice | "unknown" | undefined {
  if (id === undefined) return undefined;
  return state.devices.find((device) => device.id === id) ?? "unknown";
}

/** A sign-in replaces the device, so that a stolen copy of its cookie is of no more use. */
function rememberDevice(
  state: CodeState,
  { remember: id }: VerifyRequest,
  replaced: KnownDevice | undefined,
  now: number,
): void {
  if (id === undefined) return;
  const charges = replaced?.charges ?? [];
  const device = { id, signedInAt: now, charges, wrong: 0, lockedUntil: 0 };
  const others = state.devices.filter((one) => one !== replaced && one.id !== id);
  state.devices = [device, ...others].slice(0, knownDevicesMax);
}

function forgetCodes(state: CodeState): void {
  state.codes = [];
  state.used = undefined;
  state.devices = [];
}

function forgetDevices(state: CodeState, { only, except }: ForgottenDevices): void {
  state.devices = state.devices.filter(({ id }) => id === except || (only ?? id) !== id);
}

function unlock(state: CodeState, now: number): number | undefined {
  const limited = [state, ...state.devices];
  const lockedUntil = Math.max(...limited.map((one) => one.lockedUntil));
  for (const one of limited) {
    one.lockedUntil = 0;
    one.charges = [];
  }
  state.attempts = [];
  state.locks = 0;
  return lockedUntil > now ? lockedUntil : undefined;
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

function countOnDevice(
  state: CodeState,
  device: KnownDevice,
  policy: CodePolicy,
  now: number,
): VerifyOutcome {
  device.wrong += 1;
  if (device.wrong >= deviceAttemptsMax(policy)) {
    state.devices = state.devices.filter((one) => one !== device);
    return { kind: "wrong" };
  }
  if (device.wrong % policy.attemptsMax > 0) return { kind: "wrong" };
  device.lockedUntil = now + policy.lockMs;
  return { kind: "wrong", lockedForMs: policy.lockMs };
}

function charge(budget: CodeBudget, code: StoredCode, now: number): void {
  budget.charges.push(now);
  code.chargedAt = now;
  code.device = budget.id;
}

function shown({ messageId, timestamp, expiresAt, keyId, data }: StoredCode): IssuedCode {
  return { messageId, timestamp, expiresAt, keyId, data };
}
