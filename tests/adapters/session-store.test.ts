import { join } from "node:path";
import { openRedisSessionStore } from "../../src/auth/sessions/redis.ts";
import { openSqliteSessionStore } from "../../src/auth/sessions/sqlite.ts";
import { openSqlite } from "../../src/core/sqlite/database.ts";
import { findEngine } from "../../support/engines.ts";
import { openTestRedis } from "../../support/own-redis.ts";
import { temporaryDirectory } from "../../support/temporary-directory.ts";
import { testSessionStore } from "../contract/session-store.ts";

const url = findEngine("redis");

if (url !== undefined) {
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
      JSON.stringify(database.read((db) => db.query("SELECT * FROM auth_sessions").all())),
    [Symbol.asyncDispose]: async () => {
      await database.close();
      directory[Symbol.dispose]();
    },
  };
});
