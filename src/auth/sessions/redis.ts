import type { Clock } from "../../core/clock.ts";
import type { RedisClient } from "../../core/redis/client.ts";
import { redisScript } from "../../core/redis/script.ts";
import nowText from "../redis-now.lua" with { type: "text" };
import createText from "./redis-create.lua" with { type: "text" };
import findText from "./redis-find.lua" with { type: "text" };
import type { Session, SessionPolicy, SessionStore } from "./session-store.ts";
import { createSessionToken, sessionKeyOf } from "./session-token.ts";

const createScript = redisScript<string>(`${nowText}\n${createText}`);
const findScript = redisScript<string | null>(`${nowText}\n${findText}`);

export interface RedisSessionStoreOptions {
  readonly policy: SessionPolicy;
  /** Before each key: "" in production, something of its own in a test. */
  readonly keyPrefix?: string;
  /** The server's time when left out; given in tests, which move it. */
  readonly clock?: Clock;
}

/**
 * Sessions in Redis: `auth:sessions:{<SHA-256 of the token>}`, a string of JSON that expires with
 * the session. Does not close the client it is given.
 */
export function openRedisSessionStore(
  redis: RedisClient,
  options: RedisSessionStoreOptions,
): SessionStore {
  const { policy, keyPrefix = "", clock } = options;
  const { idleMs, lifetimeMs, touchEveryMs } = policy;
  const now = () => clock?.now() ?? "";
  const redisKey = (key: string) => `${keyPrefix}auth:sessions:{${key}}`;
  const parse = (text: string) => JSON.parse(text) as Session;

  return {
    policy,
    embedded: false,
    create: async ({ userId }) => {
      const token = createSessionToken();
      const lifeMs = Math.min(idleMs, lifetimeMs);
      const keys = [redisKey(sessionKeyOf(token) ?? "")];
      const text = await redis.script(createScript, keys, [now(), userId, lifeMs]);
      return { token, session: parse(text) };
    },
    find: async (token) => {
      const key = sessionKeyOf(token);
      if (key === undefined) return undefined;
      const args = [now(), idleMs, lifetimeMs, touchEveryMs];
      const text = await redis.script(findScript, [redisKey(key)], args);
      return text === null ? undefined : parse(text);
    },
    revoke: async (token) => {
      const key = sessionKeyOf(token);
      if (key !== undefined) await redis.run((client) => client.del(redisKey(key)));
    },
    ping: (ping) => redis.ping(ping),
  };
}
