import { expect, test } from "bun:test";
import { join } from "node:path";
import { openRedisSessionStore } from "../../src/auth/sessions/redis.ts";
import { openSqliteSessionStore } from "../../src/auth/sessions/sqlite.ts";
import type { RedisClient } from "../../src/core/redis/client.ts";
import { openSqlite } from "../../src/core/sqlite/database.ts";
import { findEngine } from "../../support/engines.ts";
import { openTestRedis } from "../../support/own-redis.ts";
import { sessionPolicyDefault } from "../../support/settings.ts";
import { temporaryDirectory } from "../../support/temporary-directory.ts";
import { testSessionStore } from "../contract/session-store.ts";

const url = findEngine("redis");

if (url !== undefined) {
  test("a check is one round trip to Redis, and two for a token of another process", async () => {
    await using opened = await openTestRedis(url);
    const { redis, keyPrefix } = opened;
    let calls = 0;
    const counted: RedisClient = {
      ...redis,
      script: (...call) => {
        calls += 1;
        return redis.script(...call);
      },
    };
    const open = () => {
      return openRedisSessionStore(counted, { policy: sessionPolicyDefault, keyPrefix });
    };
    const [store, restarted] = [open(), open()];
    const { token, session } = await store.create({ userId: crypto.randomUUID(), device: "x" });
    for (const [checking, expected] of [
      [store, 1],
      [restarted, 2],
      [restarted, 1],
    ] as const) {
      calls = 0;
      expect(await checking.check(token)).toMatchObject({ session });
      expect(calls).toBe(expected);
    }
    await restarted.revoke(token);
    expect(await store.check(token)).toBeUndefined();
  });

  test("sessions of a version that kept no users are found as before", async () => {
    await using opened = await openTestRedis(url);
    const { redis, keyPrefix } = opened;
    const store = openRedisSessionStore(redis, { policy: sessionPolicyDefault, keyPrefix });
    const [userId, id, token] = [crypto.randomUUID(), "i".repeat(22), "t".repeat(43)];
    const [createdAt, usedAt] = [Date.now() - 1000, Date.now() - 500];
    const key = new Bun.CryptoHasher("sha256").update(token).digest("hex");
    await redis.run(async (client) => {
      const pointer = JSON.stringify({ userId, id });
      await client.set(`${keyPrefix}auth:sessions:{${key}}`, pointer);
      const stored = JSON.stringify({ device: "curl", createdAt, usedAt });
      await client.hset(`${keyPrefix}auth:user-sessions:{${userId}}`, id, stored);
    });
    const session = { userId, id, device: "curl", createdAt, usedAt };
    expect(await store.check(token)).toMatchObject({ session, user: undefined });
    expect(await store.find(token)).toEqual(session);
  });

  testSessionStore("Redis", async (options) => {
    const { redis, keyPrefix, keys, ...opened } = await openTestRedis(url);
    return {
      ...opened,
      store: openRedisSessionStore(redis, { ...options, keyPrefix }),
      dump: async () => {
        const names = await keys();
        const values = names.map((name) =>
          redis.run<unknown>((client) =>
            name.includes(":user-sessions:") ? client.hgetall(name) : client.get(name),
          ),
        );
        return JSON.stringify([names, await Promise.all(values)]);
      },
    };
  });
}

testSessionStore("SQLite", async (options) => {
  const directory = temporaryDirectory();
  const database = await openSqlite(join(directory.path, "auth.sqlite"));
  return {
    store: await openSqliteSessionStore(database, options),
    dump: async () =>
      JSON.stringify(
        database.read((db) => [
          db.query("SELECT * FROM auth_sessions").all(),
          db.query("SELECT * FROM auth_session_users").all(),
        ]),
      ),
    [Symbol.asyncDispose]: async () => {
      await database.close();
      directory[Symbol.dispose]();
    },
  };
});
