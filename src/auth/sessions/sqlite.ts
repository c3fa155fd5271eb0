import type { Database } from "bun:sqlite";
import type { SqliteDatabase } from "../../core/sqlite/database.ts";
import type { Clock } from "../../core/time.ts";
import { systemClock } from "../../core/time.ts";
import type { User } from "../users/user-store.ts";
import type { CheckedSession, Session, SessionPolicy, SessionStore } from "./session-store.ts";
import {
  createSessionId,
  createSessionToken,
  keepUserMsMax,
  sessionEndsAt,
  sessionKeyOf,
  userDroppedMs,
  userKeptMs,
} from "./session-store.ts";

const migrations = [
  `CREATE TABLE auth_sessions (
    key TEXT PRIMARY KEY,
    user_id TEXT NOT NULL,
    created_at INTEGER NOT NULL,
    used_at INTEGER NOT NULL
  ) STRICT;
  CREATE INDEX auth_sessions_used_at ON auth_sessions (used_at);`,
  // Sessions without an id and a device are dropped; their users sign in again.
  `DROP TABLE auth_sessions;
  CREATE TABLE auth_sessions (
    key TEXT PRIMARY KEY,
    id TEXT NOT NULL,
    user_id TEXT NOT NULL,
    device TEXT NOT NULL,
    created_at INTEGER NOT NULL,
    used_at INTEGER NOT NULL
  ) STRICT;
  CREATE INDEX auth_sessions_used_at ON auth_sessions (used_at);
  CREATE INDEX auth_sessions_user_id ON auth_sessions (user_id, used_at);`,
  // Without a user: dropped, and not to be kept until then.
  `CREATE TABLE auth_session_users (
    user_id TEXT PRIMARY KEY,
    user TEXT,
    until INTEGER NOT NULL
  ) STRICT;`,
];

const columns =
  "id, user_id AS userId, device, created_at AS createdAt, used_at AS usedAt FROM auth_sessions";

/**
 * A revoked session leaves its row until it would have been idle for too long, at least for a day,
 * so that creating it again does not bring it back.
 */
const revoke = "UPDATE auth_sessions SET created_at = 0, device = ''";
const revokedKeptMs = 86_400_000;

/** Ended sessions dropped with each new one: more than are added, so that the file does not grow. */
const sweptMax = 10;

interface SqliteSessionStoreOptions {
  readonly policy: SessionPolicy;
  readonly clock?: Clock;
}

/** Sessions in a SQLite file. Does not close the file. */
export async function openSqliteSessionStore(
  database: SqliteDatabase,
  { policy, clock = systemClock }: SqliteSessionStoreOptions,
): Promise<SessionStore> {
  await database.migrate("auth-sessions", migrations);

  const isLive = (session: Session) => clock.now() < sessionEndsAt(session, policy);

  async function touch(key: string, session: Session, now: number): Promise<Session> {
    if (now - session.usedAt < policy.touchEveryMs) return session;
    await database.write((db) =>
      db.query("UPDATE auth_sessions SET used_at = ? WHERE key = ?").run(now, key),
    );
    return { ...session, usedAt: now };
  }

  async function check(token: string): Promise<CheckedSession | undefined> {
    const key = sessionKeyOf(token);
    if (key === undefined) return undefined;
    const checkedAt = clock.now();
    const stored = database.read((db) =>
      db.query<Session, [string]>(`SELECT ${columns} WHERE key = ?`).get(key),
    );
    if (stored === null || !isLive(stored)) return undefined;
    const user = database.read((db) => findKept(db, stored.userId, checkedAt));
    return { session: await touch(key, stored, checkedAt), user, checkedAt };
  }

  /** Returns how many live ones it removed. */
  function remove(userId: string, isMeant: (session: Session) => boolean): Promise<number> {
    return database.write((db) => {
      const meant = readAll(db, userId).filter((session) => isLive(session) && isMeant(session));
      const query = db.query(`${revoke} WHERE user_id = ? AND id = ?`);
      for (const { id } of meant) query.run(userId, id);
      return meant.length;
    });
  }

  return {
    policy,
    embedded: true,
    create: async ({ userId, device, id = createSessionId(), token = createSessionToken() }) => {
      const now = clock.now();
      const session = await database.write((db) => {
        sweep(db, now - Math.max(policy.idleMs, revokedKeptMs));
        const session = { id, userId, device, createdAt: now, usedAt: now };
        return insert(db, sessionKeyOf(token) ?? "", session, policy.perUserMax);
      });
      return { token, session };
    },
    find: async (token) => (await check(token))?.session,
    check,
    keepUser: async (user, checkedAt) => {
      await database.write((db) => {
        const now = clock.now();
        if (now > checkedAt + keepUserMsMax) return;
        db.query("DELETE FROM auth_session_users WHERE until <= ?").run(now);
        const query = db.query("INSERT OR IGNORE INTO auth_session_users VALUES (?, ?, ?)");
        query.run(user.id, JSON.stringify(user), now + userKeptMs);
      });
    },
    dropUser: async (userId) => {
      await database.write((db) => {
        const query = db.query("INSERT OR REPLACE INTO auth_session_users VALUES (?, NULL, ?)");
        query.run(userId, clock.now() + userDroppedMs);
      });
    },
    list: async (userId) => database.read((db) => readAll(db, userId)).filter(isLive),
    revoke: async (token) => {
      const key = sessionKeyOf(token);
      if (key === undefined) return;
      await database.write((db) => db.query(`${revoke} WHERE key = ?`).run(key));
    },
    revokeOne: async ({ userId, id }) => (await remove(userId, (one) => one.id === id)) > 0,
    revokeAll: ({ userId, except }) => remove(userId, (one) => one.id !== except),
    ping: async () => {
      database.read((db) => db.query("SELECT 1 FROM auth_sessions LIMIT 1").get());
    },
  };
}

function findKept(db: Database, userId: string, now: number): User | undefined {
  const kept = db
    .query<{ readonly user: string | null }, [string, number]>(
      "SELECT user FROM auth_session_users WHERE user_id = ? AND until > ?",
    )
    .get(userId, now);
  return kept?.user ? (JSON.parse(kept.user) as User) : undefined;
}

/**
 * Returns the session as it is stored, perhaps by an earlier call. Beyond a user's maximum, the
 * least recently used sessions end.
 */
function insert(db: Database, key: string, session: Session, perUserMax: number): Session {
  const { id, userId, device, createdAt, usedAt } = session;
  db.query("INSERT OR IGNORE INTO auth_sessions VALUES (?, ?, ?, ?, ?, ?)").run(
    key,
    id,
    userId,
    device,
    createdAt,
    usedAt,
  );
  db.query(
    `${revoke} WHERE user_id = ?1 AND created_at > 0 AND id != ?2 AND id NOT IN
       (SELECT id FROM auth_sessions WHERE user_id = ?1 AND created_at > 0 AND id != ?2
        ORDER BY used_at DESC, id LIMIT ?3)`,
  ).run(userId, id, perUserMax - 1);
  const stored = db.query<Session, [string]>(`SELECT ${columns} WHERE key = ?`).get(key);
  return stored ?? session;
}

function readAll(db: Database, userId: string): Session[] {
  return db
    .query<Session, [string]>(`SELECT ${columns} WHERE user_id = ? ORDER BY used_at DESC, id`)
    .all(userId);
}

function sweep(db: Database, usedBefore: number): void {
  db.query(
    `DELETE FROM auth_sessions WHERE key IN
       (SELECT key FROM auth_sessions WHERE used_at <= ? ORDER BY used_at LIMIT ${sweptMax})`,
  ).run(usedBefore);
}
