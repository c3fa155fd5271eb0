import type { Database } from "bun:sqlite";
import type { Clock } from "../../core/clock.ts";
import { systemClock } from "../../core/clock.ts";
import type { SqliteDatabase } from "../../core/sqlite/database.ts";
import type { Session, SessionPolicy, SessionStore } from "./session-store.ts";
import { createSessionToken, sessionKeyOf } from "./session-token.ts";

const migrations = [
  `CREATE TABLE auth_sessions (
    key TEXT PRIMARY KEY,
    user_id TEXT NOT NULL,
    created_at INTEGER NOT NULL,
    used_at INTEGER NOT NULL
  ) STRICT;
  CREATE INDEX auth_sessions_used_at ON auth_sessions (used_at);`,
];

/** Ended sessions dropped with each new one: more than one, so that the file does not grow. */
const sweptMax = 10;

export interface SqliteSessionStoreOptions {
  readonly policy: SessionPolicy;
  readonly clock?: Clock;
}

/** Sessions in a SQLite file. Does not close the file it is given. */
export async function openSqliteSessionStore(
  database: SqliteDatabase,
  { policy, clock = systemClock }: SqliteSessionStoreOptions,
): Promise<SessionStore> {
  await database.migrate("auth-sessions", migrations);

  async function touch(key: string, session: Session, now: number): Promise<Session> {
    if (now - session.usedAt < policy.touchEveryMs) return session;
    await database.write((db) =>
      db.query("UPDATE auth_sessions SET used_at = ? WHERE key = ?").run(now, key),
    );
    return { ...session, usedAt: now };
  }

  return {
    policy,
    embedded: true,
    create: async ({ userId }) => {
      const token = createSessionToken();
      const now = clock.now();
      const session = { userId, createdAt: now, usedAt: now };
      await database.write((db) => {
        db.query("INSERT INTO auth_sessions VALUES (?, ?, ?, ?)").run(
          sessionKeyOf(token) ?? "",
          userId,
          now,
          now,
        );
        sweep(db, now - policy.idleMs);
      });
      return { token, session };
    },
    find: async (token) => {
      const key = sessionKeyOf(token);
      if (key === undefined) return undefined;
      const now = clock.now();
      const session = database.read((db) => readSession(db, key));
      return session !== undefined && isLive(session, policy, now)
        ? touch(key, session, now)
        : undefined;
    },
    revoke: async (token) => {
      const key = sessionKeyOf(token);
      if (key === undefined) return;
      await database.write((db) => db.query("DELETE FROM auth_sessions WHERE key = ?").run(key));
    },
    ping: async () => {
      database.read((db) => db.query("SELECT 1 FROM auth_sessions LIMIT 1").get());
    },
  };
}

function isLive(session: Session, policy: SessionPolicy, now: number): boolean {
  return now < session.usedAt + policy.idleMs && now < session.createdAt + policy.lifetimeMs;
}

function readSession(db: Database, key: string): Session | undefined {
  const row = db
    .query<Session, [string]>(
      `SELECT user_id AS userId, created_at AS createdAt, used_at AS usedAt
       FROM auth_sessions WHERE key = ?`,
    )
    .get(key);
  return row ?? undefined;
}

function sweep(db: Database, usedBefore: number): void {
  db.query(
    `DELETE FROM auth_sessions WHERE key IN
       (SELECT key FROM auth_sessions WHERE used_at <= ? ORDER BY used_at LIMIT ${sweptMax})`,
  ).run(usedBefore);
}
