import { openRedisSessionStore } from "../../src/auth/sessions/redis.ts";
import { findEngine } from "../../support/engines.ts";
import { openTestRedis } from "../../support/own-redis.ts";
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
