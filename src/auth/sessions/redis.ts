import type { RedisClient } from "../../core/redis/client.ts";
import type { RedisScript } from "../../core/redis/scripts.ts";
import { redisScript } from "../../core/redis/scripts.ts";
import type { Clock } from "../../core/time.ts";
import nowText from "../redis-now.lua" with { type: "text" };
import createText from "./redis-create.lua" with { type: "text" };
import findText from "./redis-find.lua" with { type: "text" };
import listText from "./redis-list.lua" with { type: "text" };
import pointersText from "./redis-pointers.lua" with { type: "text" };
import revokeText from "./redis-revoke.lua" with { type: "text" };
import stateText from "./redis-state.lua" with { type: "text" };
import type { Session, SessionPolicy, SessionStore } from "./session-store.ts";
import {
  createSessionId,
  createSessionToken,
  sessionKeyOf,
  sessionsPerUserMax,
} from "./session-store.ts";

const before = `${nowText}\n${stateText}`;
const createScript = redisScript<string>(`${before}\n${createText}`);
const pointersScript = redisScript<string | null>(pointersText, { merges: true });
const findScript = redisScript<string | null>(`${before}\n${findText}`, { merges: true });
const listScript = redisScript<readonly string[]>(`${before}\n${listText}`);
const revokeScript = redisScript<number>(`${before}\n${revokeText}`);

interface RedisSessionStoreOptions {
  readonly policy: SessionPolicy;
  /** The prefix of each key: "" in production, unique in a test. */
  readonly keyPrefix?: string;
  /** The server's time when left out; tests set it. */
  readonly clock?: Clock;
}

/** The user and the session that a token belongs to. */
type Pointer = Pick<Session, "userId" | "id">;
type Stored = Omit<Session, "userId" | "id">;

/**
 * Sessions in Redis, all of a user in one hash, `auth:user-sessions:{<user id>}`, so that ending
 * several is one step. `auth:sessions:{<SHA-256 of the token>}` points from a token to its session;
 * it is written first, and gives no access without the session. Does not close the client.
 */
export function openRedisSessionStore(
  redis: RedisClient,
  options: RedisSessionStoreOptions,
): SessionStore {
  const { policy, keyPrefix = "", clock } = options;
  const { idleMs, lifetimeMs, touchEveryMs } = policy;
  const pointerKey = (key: string) => `${keyPrefix}auth:sessions:{${key}}`;

  function run<R>(script: RedisScript<R>, userId: string, ...args: (string | number)[]) {
    const key = `${keyPrefix}auth:user-sessions:{${userId}}`;
    return redis.script(script, [key], [clock?.now() ?? "", idleMs, lifetimeMs, ...args]);
  }

  async function findPointer(token: string): Promise<Pointer | undefined> {
    const key = sessionKeyOf(token);
    if (key === undefined) return undefined;
    const text = await redis.script(pointersScript, [pointerKey(key)], []);
    return text === null ? undefined : (JSON.parse(text) as Pointer);
  }

  return {
    policy,
    embedded: false,
    create: async ({ userId, device }) => {
      const [token, id] = [createSessionToken(), createSessionId()];
      const pointer = JSON.stringify({ userId, id } satisfies Pointer);
      const key = pointerKey(sessionKeyOf(token) ?? "");
      await redis.run((client) => client.set(key, pointer, "PX", lifetimeMs));
      const text = await run(createScript, userId, sessionsPerUserMax, id, device);
      return { token, session: { userId, id, ...(JSON.parse(text) as Stored) } };
    },
    find: async (token) => {
      const pointer = await findPointer(token);
      if (pointer === undefined) return undefined;
      const text = await run(findScript, pointer.userId, touchEveryMs, pointer.id);
      return text === null ? undefined : { ...pointer, ...(JSON.parse(text) as Stored) };
    },
    list: async (userId) => {
      const texts = await run(listScript, userId);
      return texts.map((text) => ({ userId, ...(JSON.parse(text) as Omit<Session, "userId">) }));
    },
    revoke: async (token) => {
      const pointer = await findPointer(token);
      if (pointer !== undefined) await run(revokeScript, pointer.userId, pointer.id, "");
    },
    revokeOne: async ({ userId, id }) => (await run(revokeScript, userId, id || "-", "")) > 0,
    revokeAll: ({ userId, except = "" }) => run(revokeScript, userId, "", except),
    ping: (ping) => redis.ping(ping),
  };
}
