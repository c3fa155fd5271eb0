import type { Database } from "bun:sqlite";
import type { SqliteDatabase } from "../../core/sqlite/database.ts";
import type { Clock } from "../../core/time.ts";
import { systemClock } from "../../core/time.ts";
import type { LimitedUse, Limits, RateLimit, TakeOutcome } from "./limits.ts";
import { limitName } from "./limits.ts";

const migrations = [
  `CREATE TABLE auth_limits (
    name TEXT NOT NULL,
    use TEXT NOT NULL,
    at INTEGER NOT NULL,
    ends_at INTEGER NOT NULL,
    PRIMARY KEY (name, use)
  ) STRICT, WITHOUT ROWID;
  CREATE INDEX auth_limits_at ON auth_limits (name, at);
  CREATE INDEX auth_limits_ends_at ON auth_limits (ends_at);`,
];

/** Expired uses dropped with each new one: more than are added, so that the file does not grow. */
const sweptMax = 20;

/** Limits in a SQLite file; each call is one transaction. Does not close the file. */
export async function openSqliteLimits(
  database: SqliteDatabase,
  { clock = systemClock }: { readonly clock?: Clock } = {},
): Promise<Limits> {
  await database.migrate("auth-limits", migrations);
  return {
    embedded: true,
    take: (request) => database.write((db) => take(db, request, clock.now())),
    giveBack: async ({ use, limits }) => {
      await database.write((db) => {
        const query = db.query("DELETE FROM auth_limits WHERE name = ? AND use = ?");
        for (const limit of limits) query.run(limitName(limit), use);
      });
    },
    ping: async () => {
      database.read((db) => db.query("SELECT 1 FROM auth_limits LIMIT 1").get());
    },
  };
}

function take(db: Database, request: LimitedUse, now: number): TakeOutcome {
  const { use, limits } = request;
  const exhausted = findExhausted(db, request, now);
  if (exhausted !== undefined && !isEarned(db, request, now)) return exhausted;
  const query = db.query("INSERT OR IGNORE INTO auth_limits VALUES (?, ?, ?, ?)");
  for (const limit of limits) query.run(limitName(limit), use, now, now + limit.windowMs);
  db.query(
    `DELETE FROM auth_limits WHERE (name, use) IN
       (SELECT name, use FROM auth_limits WHERE ends_at <= ? ORDER BY ends_at LIMIT ${sweptMax})`,
  ).run(now);
  return { kind: "taken" };
}

function findExhausted(
  db: Database,
  { use, limits, reserved }: LimitedUse,
  now: number,
): Extract<TakeOutcome, { kind: "rate_limited" }> | undefined {
  let exhausted: Extract<TakeOutcome, { kind: "rate_limited" }> | undefined;
  for (const [index, limit] of limits.entries()) {
    const before = limits[index - 1];
    const isReserved =
      index === limits.length - 1 &&
      reserved !== undefined &&
      (before === undefined ? 0 : countUses(db, before, now)) >= reserved.usesBelow;
    const quota = isReserved ? limit.quota - reserved.quota : limit.quota;
    const retryAfterMs = retryAfterMsOf(db, { ...limit, quota }, use, now);
    if (retryAfterMs > (exhausted?.retryAfterMs ?? 0)) {
      exhausted = { kind: "rate_limited", limit, retryAfterMs };
    }
  }
  return exhausted;
}

/** Whether the limit that earns was used last, and within the window of the first limit. */
function isEarned(db: Database, { limits: [first], earnedBy }: LimitedUse, now: number): boolean {
  if (first === undefined || earnedBy === undefined) return false;
  const since = Math.max(newestUse(db, first), now - first.windowMs);
  return newestUse(db, earnedBy) > since;
}

function newestUse(db: Database, limit: RateLimit): number {
  const row = db
    .query<{ at: number | null }, [string]>("SELECT max(at) AS at FROM auth_limits WHERE name = ?")
    .get(limitName(limit));
  return row?.at ?? 0;
}

function countUses(db: Database, limit: RateLimit, now: number): number {
  const row = db
    .query<{ count: number }, [string, number]>(
      "SELECT count(*) AS count FROM auth_limits WHERE name = ? AND at > ?",
    )
    .get(limitName(limit), now - limit.windowMs);
  return row?.count ?? 0;
}

/**
 * The wait until the budget allows another use; 0 when it does, or when this use is already
 * counted.
 */
function retryAfterMsOf(db: Database, limit: RateLimit, use: string, now: number): number {
  const name = limitName(limit);
  if (db.query("SELECT 1 FROM auth_limits WHERE name = ? AND use = ?").get(name, use) !== null) {
    return 0;
  }
  // The `quota`-th newest: when it leaves the window, one less than the quota remains.
  const last = db
    .query<{ at: number }, [string, number, number]>(
      "SELECT at FROM auth_limits WHERE name = ? AND at > ? ORDER BY at DESC LIMIT 1 OFFSET ?",
    )
    .get(name, now - limit.windowMs, limit.quota - 1);
  return last === null ? 0 : last.at + limit.windowMs - now;
}
