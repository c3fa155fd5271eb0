/**
 * Who is signed in, on which devices. A session is known by a random token of 256 bits that only its
 * holder has: the store keeps its SHA-256. For everybody else it has an `id` that opens nothing.
 *
 * A session is live from `create` until the first of: it was not used for `idleMs`, it is
 * `lifetimeMs` old, it was revoked. Each `find` is a use; it is written down once per
 * `touchEveryMs`, so a session may end that much earlier than its last use says. A user has at most
 * `sessionsPerUserMax`: a further one ends the one that was used longest ago.
 *
 * Promises, tested by `tests/contract/session-store.ts` for every adapter:
 * - A revoked or ended session is not found by any later `find`, on any replica. Each call that
 *   revokes, however many sessions, is one atomic step: none is found that it was to end.
 * - Anything that is no token of ours is not found, whatever it looks like.
 * - Nobody's session is revoked by its id but by naming its own user.
 * - Every call may be repeated. Times are the store's own.
 * Left out on purpose: closing (a store opens nothing of its own).
 * Throws the engine's own error (`redis_unavailable`, `sqlite_busy`) when it is away.
 */
export interface SessionStore {
  readonly policy: SessionPolicy;
  /** Whether it is a file of ours rather than a server. */
  readonly embedded: boolean;
  create(request: CreateSessionRequest): Promise<CreatedSession>;
  find(token: string): Promise<Session | undefined>;
  /** The live ones, the one used last first. */
  list(userId: string): Promise<readonly Session[]>;
  revoke(token: string): Promise<void>;
  /** Whether there was such a session. */
  revokeOne(session: Pick<Session, "userId" | "id">): Promise<boolean>;
  /** All of a user, but the one with the id `except`; how many there were. */
  revokeAll(request: { readonly userId: string; readonly except?: string }): Promise<number>;
  /** Throws when the store does not answer within `deadlineMs`. */
  ping(options: { readonly deadlineMs: number }): Promise<void>;
}

export interface CreateSessionRequest {
  readonly userId: string;
  /** For people: "Firefox on Windows"; ≤ 60 characters. */
  readonly device: string;
}

export interface SessionPolicy {
  /** Sliding: 7 days from the last use, */
  readonly idleMs: number;
  /** but never later than 30 days after the sign-in. */
  readonly lifetimeMs: number;
  /** 1 min. */
  readonly touchEveryMs: number;
}

export interface CreatedSession {
  /** 43 characters of base64url. Shown once, to the one who signed in. */
  readonly token: string;
  readonly session: Session;
}

/** Times in Unix ms. */
export interface Session {
  /** 22 characters of base64url; neither the token nor made from it. */
  readonly id: string;
  readonly userId: string;
  readonly device: string;
  readonly createdAt: number;
  /** Of the last use that was written down. */
  readonly usedAt: number;
}

export const sessionPolicyDefault: SessionPolicy = {
  idleMs: 7 * 24 * 3_600_000,
  lifetimeMs: 30 * 24 * 3_600_000,
  touchEveryMs: 60_000,
};

export const sessionsPerUserMax = 100;

/** When a session ends if it is not used any more. */
export function sessionEndsAt(
  { createdAt, usedAt }: Pick<Session, "createdAt" | "usedAt">,
  { idleMs, lifetimeMs }: SessionPolicy,
): number {
  return Math.min(usedAt + idleMs, createdAt + lifetimeMs);
}
