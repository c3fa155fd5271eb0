import type { RedisClient } from "../../core/redis/client.ts";
import { redisScript } from "../../core/redis/scripts.ts";
import type { Clock } from "../../core/time.ts";
import nowText from "../redis-now.lua" with { type: "text" };
import type { Limits, RateLimit } from "./limits.ts";
import { limitName } from "./limits.ts";
import takeText from "./redis-take.lua" with { type: "text" };

const takeScript = redisScript<readonly [index: number, retryAfterMs: number]>(
  `${nowText}\n${takeText}`,
  { merges: true },
);

interface RedisLimitsOptions {
  /** The prefix of each key: "" in production, unique in a test. */
  readonly keyPrefix?: string;
  /** The server's time when left out; tests set it. */
  readonly clock?: Clock;
}

/**
 * Limits in Redis: `{auth:limits}:<scope>:<SHA-256 of the subject>`, a sorted set of the uses in the
 * window. All in one hash slot, because one step takes from several. Does not close the client.
 */
export function openRedisLimits(redis: RedisClient, options: RedisLimitsOptions = {}): Limits {
  const { keyPrefix = "", clock } = options;
  const keyOf = (limit: RateLimit) => `${keyPrefix}{auth:limits}:${limitName(limit)}`;

  return {
    embedded: false,
    take: async ({ use, limits, reserved, earnedBy }) => {
      const keys = limits.map(keyOf);
      if (earnedBy !== undefined) keys.push(keyOf(earnedBy));
      const policy = [reserved?.quota ?? 0, reserved?.usesBelow ?? 0, earnedBy ? 1 : 0];
      for (const { quota, windowMs } of limits) policy.push(quota, windowMs);
      const args = [clock?.now() ?? "", use, policy.join(" ")];
      const [index, retryAfterMs] = await redis.script(takeScript, keys, args);
      const limit = limits[index - 1];
      return limit === undefined
        ? { kind: "taken" }
        : { kind: "rate_limited", limit, retryAfterMs };
    },
    giveBack: async ({ use, limits }) => {
      await redis.run((client) =>
        Promise.all(limits.map((limit) => client.zrem(keyOf(limit), use))),
      );
    },
    ping: (ping) => redis.ping(ping),
  };
}
