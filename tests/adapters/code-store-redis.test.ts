import { openRedisCodeStore } from "../../src/auth/codes/redis.ts";
import { findEngine } from "../../support/engines.ts";
import { testCodeStore } from "../contract/code-store.ts";
import { openTestRedis } from "../support/redis-prefix.ts";

const url = findEngine("redis");

if (url !== undefined) {
  testCodeStore("Redis", async (options) => {
    const { redis, keyPrefix, ...opened } = await openTestRedis(url);
    return { ...opened, store: openRedisCodeStore(redis, { ...options, keyPrefix }) };
  });
}
