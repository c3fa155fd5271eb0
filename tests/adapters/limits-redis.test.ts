import { openRedisLimits } from "../../src/auth/limits/redis.ts";
import { findEngine } from "../../support/engines.ts";
import { openTestRedis } from "../../support/own-redis.ts";
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
