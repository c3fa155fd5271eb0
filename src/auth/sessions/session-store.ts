import { randomToken, sha256Hex } from "../../core/secret.ts";
import type { User, UserStore } from "../users/user-store.ts";

/**
 * Stores who is signed in, on which devices. A session is authenticated by a random token of 256
 * bits, of which the store keeps only the SHA-256. Everywhere else it is named by an `id` that
 * gives no access.
 *
 * A session is live from `create` until the first of: it was not used for `idleMs`, it is
 * `lifetimeMs` old, it was revoked. Each `find` is a use; uses are recorded once per
 * `touchEveryMs`, so a session may end that much too early. A user has at most `perUserMax`: one
 * more ends the least recently used.
 *
 * Promises, tested by `tests/contract/session-store.ts` for every adapter:
 * - A revoked or ended session is not found by any later `find`, on any replica. Each call that
 *   revokes, however many sessions, is one atomic step.
 * - Whatever is not one of our tokens is not found.
 * - Revoking a session by its id also takes the id of its user.
 * - Every call may be repeated: however many create a session of the same name at once, it is one.
 *   One that was revoked stays so for a day. Times are by the store's clock.
 *
 * Beside its sessions the store keeps a copy of the user, so that checking a session asks no other
 * store. `dropUser` comes before each change (see `dropChangedUsers`), and for `userDroppedMs` no
 * copy is kept. `keepUser` has no effect later than `keepUserMsMax` after the check that found none,
 * so a user who was read before a change is not kept after it, as long as the change takes at most
 * the difference, 7 s. A change made past this program is seen after `userKeptMs`.
 * Left out on purpose: closing (a store opens no resources).
 * Throws the engine's own error (`redis_unavailable`, `sqlite_busy`) when it is unavailable.
 */
export interface SessionStore {
  readonly policy: SessionPolicy;
  /** Whether it is a local file rather than a server. */
  readonly embedded: boolean;
  create(request: CreateSessionRequest): Promise<CreatedSession>;
  find(token: string): Promise<Session | undefined>;
  /** The same use, with the copy of its user. */
  check(token: string): Promise<CheckedSession | undefined>;
  /** Keeps a copy of a user who was read since `checkedAt`. */
  keepUser(user: User, checkedAt: number): Promise<void>;
  dropUser(userId: string): Promise<void>;
  /** The live ones, most recently used first. */
  list(userId: string): Promise<readonly Session[]>;
  revoke(token: string): Promise<void>;
  /** Whether there was such a session. */
  revokeOne(session: Pick<Session, "userId" | "id">): Promise<boolean>;
  /** Ends all sessions of a user except the one with the id `except`; returns how many. */
  revokeAll(request: { readonly userId: string; readonly except?: string }): Promise<number>;
  /** Throws when the store does not answer within `deadlineMs`. */
  ping(options: { readonly deadlineMs: number }): Promise<void>;
}

interface CreateSessionRequest extends Partial<SessionNames> {
  readonly userId: string;
  /** A readable name: "Firefox on Windows"; ≤ 60 characters. */
  readonly device: string;
}

/** Random when left out. Whoever creates a session of the same names again gets the same. */
export interface SessionNames {
  readonly id: string;
  readonly token: string;
}

export interface SessionPolicy {
  /** Sliding: 7 days from the last use, */
  readonly idleMs: number;
  /** but never later than 30 days after the sign-in. */
  readonly lifetimeMs: number;
  /** 1 min. */
  readonly touchEveryMs: number;
  /** 100. */
  readonly perUserMax: number;
}

interface CreatedSession {
  /** 43 characters of base64url. Shown once, to the person who signed in. */
  readonly token: string;
  readonly session: Session;
}

/** Times in Unix ms. */
export interface Session {
  /** 22 characters of base64url; neither the token nor derived from it. */
  readonly id: string;
  readonly userId: string;
  readonly device: string;
  readonly createdAt: number;
  /** The time of the last recorded use. */
  readonly usedAt: number;
}

export interface CheckedSession {
  readonly session: Session;
  /** Undefined: there is no copy. */
  readonly user: User | undefined;
  readonly checkedAt: number;
}

export const userKeptMs = 5 * 60_000;
export const userDroppedMs = 10_000;
export const keepUserMsMax = 3_000;

/** Wraps the users' store to drop the copy of a user that is about to change. */
export function dropChangedUsers(users: UserStore, sessions: SessionStore): UserStore {
  async function change<T>(id: string, call: () => Promise<T>): Promise<T> {
    await sessions.dropUser(id);
    return call();
  }
  return {
    ...users,
    signIn: async (request) => {
      const outcome = await users.signIn(request);
      // Only now is the user known; nobody has been answered yet.
      if (!outcome.created) await sessions.dropUser(outcome.user.id);
      return outcome;
    },
    setUsername: (request) => change(request.id, () => users.setUsername(request)),
    setEmail: (request) => change(request.id, () => users.setEmail(request)),
    undoEmailChange: (request) => change(request.id, () => users.undoEmailChange(request)),
    delete: (id) => change(id, () => users.delete(id)),
  };
}

/** When a session ends if it is not used again. */
export function sessionEndsAt(
  { createdAt, usedAt }: Pick<Session, "createdAt" | "usedAt">,
  { idleMs, lifetimeMs }: SessionPolicy,
): number {
  return Math.min(usedAt + idleMs, createdAt + lifetimeMs);
}

const deviceCharsMax = 60;
const userAgentCharsMax = 500;
export const unknownDevice = "Unknown device";
export const someBrowser = "A browser";

/** In this order, because most browsers also contain the names of those they derive from. */
const browsers = [
  [/\bEdg(?:e|A|iOS)?\//, "Edge"],
  [/\b(?:OPR|Opera)\//, "Opera"],
  [/\bSamsungBrowser\//, "Samsung Internet"],
  [/\b(?:Firefox|FxiOS)\//, "Firefox"],
  [/\b(?:Chrome|Chromium|CriOS)\//, "Chrome"],
  [/\bVersion\/\S+ .*\bSafari\//, "Safari"],
] as const;

const systems = [
  [/\biPhone\b/, "iPhone"],
  [/\biPad\b/, "iPad"],
  [/\bAndroid\b/, "Android"],
  [/\bCrOS\b/, "ChromeOS"],
  [/\bWindows\b/, "Windows"],
  [/\bMac OS X\b|\bMacintosh\b/, "macOS"],
  [/\bLinux\b/, "Linux"],
] as const;

/**
 * A readable name for a session, from the User-Agent: "Firefox on Windows", or a program's name:
 * "curl". It only ever contains our own words or a plain program name.
 */
export function describeDevice(userAgent: string | undefined): string {
  const text = (userAgent ?? "").slice(0, userAgentCharsMax);
  const browser = browsers.find(([pattern]) => pattern.test(text))?.[1];
  const system = systems.find(([pattern]) => pattern.test(text))?.[1];
  if (browser !== undefined) return system === undefined ? browser : `${browser} on ${system}`;
  const program = /^([A-Za-z][A-Za-z0-9._-]*)(?:\/|\s|$)/.exec(text)?.[1];
  if (program !== undefined && program !== "Mozilla") return program.slice(0, deviceCharsMax);
  return system === undefined ? unknownDevice : `${someBrowser} on ${system}`;
}

const tokenShape = /^[A-Za-z0-9_-]{43}$/;
/** A session's id: 16 bytes in base64url. */
export const sessionIdPattern = "[A-Za-z0-9_-]{22}";

export function createSessionToken(): string {
  return randomToken(32);
}

export function createSessionId(): string {
  return randomToken(16);
}

/**
 * The key under which a token is stored; undefined for anything that cannot be a token, which is
 * not looked up.
 */
export function sessionKeyOf(token: string): string | undefined {
  return tokenShape.test(token) ? sha256Hex(token) : undefined;
}
