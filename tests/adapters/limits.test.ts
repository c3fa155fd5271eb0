import { join } from "node:path";
import { openRedisLimits } from "../../src/auth/limits/redis.ts";
import { openSqliteLimits } from "../../src/auth/limits/sqlite.ts";
import { openSqlite } from "../../src/core/sqlite/database.ts";
import { findEngine } from "../../support/engines.ts";
import { openTestRedis } from "../../support/own-redis.ts";
import { temporaryDirectory } from "../../support/temporary-directory.ts";
import { testLimits } from "../contract/limits.ts";

const url = findEngine("redis");

if (url !== undefined) {
  testLimits("Redis", async ({ clock }) => {
    const { redis, keyPrefix, keys, ...opened } = await openTestRedis(url);
    return {
      ...opened,
      limits: openRedisLimits(redis, { keyPrefix, clock }),
      dump: async () => JSON.stringify(await keys()),
    };
  });
}

testLimits("SQLite", async ({ clock }) => {
  const directory = temporaryDirectory();
  const database = await openSqlite(join(directory.path, "auth.sqlite"));
  return {
    limits: await openSqliteLimits(database, { clock }),
    dump: async () =>
      JSON.stringify(database.read((db) => db.query("SELECT * FROM auth_limits").all())),
    [Symbol.asyncDispose]: async () => {
      await database.close();
      directory[Symbol.dispose]();
    },
  };
});
