import { parseConfig } from "../../src/core/config.ts";
import { silentLog } from "../../src/core/log.ts";
import type { RedisClient } from "../../src/core/redis/client.ts";
import { openRedis } from "../../src/core/redis/client.ts";
import { redisFields, resolveRedis } from "../../src/core/redis/config.ts";

export interface TestRedis extends AsyncDisposable {
  readonly redis: RedisClient;
  /** Of this test alone; its keys are gone when the scope ends. */
  readonly keyPrefix: string;
  keys(): Promise<string[]>;
}

export async function openTestRedis(url: string): Promise<TestRedis> {
  const config = parseConfig({ redis: redisFields }, { REDIS_URL: url }).redis;
  const connection = resolveRedis(config, []);
  if (connection === undefined) throw new Error(`no Redis: ${url}`);
  const redis = await openRedis({ connection, log: silentLog });
  const keyPrefix = `test:${crypto.randomUUID()}:`;
  const keys = () => redis.run((client) => client.keys(`${keyPrefix}*`));
  return {
    redis,
    keyPrefix,
    keys,
    [Symbol.asyncDispose]: async () => {
      const left = await keys();
      if (left.length > 0) await redis.run((client) => client.unlink(...left));
      await redis.close();
    },
  };
}
