import type { RedisClient } from "../../core/redis/client.ts";
import type { RedisScript } from "../../core/redis/scripts.ts";
import { redisScript } from "../../core/redis/scripts.ts";
import type { Clock } from "../../core/time.ts";
import nowText from "../redis-now.lua" with { type: "text" };
import type { User } from "../users/user-store.ts";
import createText from "./redis-create.lua" with { type: "text" };
import findText from "./redis-find.lua" with { type: "text" };
import keepUserText from "./redis-keep-user.lua" with { type: "text" };
import listText from "./redis-list.lua" with { type: "text" };
import pointersText from "./redis-pointers.lua" with { type: "text" };
import revokeText from "./redis-revoke.lua" with { type: "text" };
import stateText from "./redis-state.lua" with { type: "text" };
import touchText from "./redis-touch.lua" with { type: "text" };
import type { CheckedSession, Session, SessionPolicy, SessionStore } from "./session-store.ts";
import {
  createSessionId,
  createSessionToken,
  keepUserMsMax,
  sessionEndsAt,
  sessionKeyOf,
  userDroppedMs,
  userKeptMs,
} from "./session-store.ts";

const before = `${nowText}\n${stateText}`;
const createScript = redisScript<string>(`${before}\n${createText}`);
const pointersScript = redisScript<string | null>(pointersText, { merges: true });
const findScript = redisScript<Found | null>(`${nowText}\n${findText}`, { merges: true });
const touchScript = redisScript<string | null>(`${before}\n${touchText}`);
const keepUserScript = redisScript<null>(`${nowText}\n${keepUserText}`);
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
interface Revoked {
  readonly revokedAt: number;
}
/** The session, what is kept of its user as "<until>:<JSON>", and the time. */
type Found = readonly [session: string, user: string | null, now: number];

/** Pointers that a process remembers: 3 MB. */
const pointersMax = 10_000;

/**
 * Sessions in Redis, all of a user in one hash, `auth:user-sessions:{<user id>}`, so that ending
 * several is one step. `auth:sessions:{<SHA-256 of the token>}` points from a token to its session;
 * it is written first, and gives no access without the session. `auth:session-users:{<user id>}` is
 * the copy of the user. Does not close the client.
 */
export function openRedisSessionStore(
  redis: RedisClient,
  options: RedisSessionStoreOptions,
): SessionStore {
  const { policy, keyPrefix = "", clock } = options;
  const { idleMs, lifetimeMs, touchEveryMs } = policy;
  const sessionsKey = (userId: string) => `${keyPrefix}auth:user-sessions:{${userId}}`;
  const userKey = (userId: string) => `${keyPrefix}auth:session-users:{${userId}}`;
  const pointers = createPointers(redis, keyPrefix);

  function run<R>(script: RedisScript<R>, userId: string, ...args: (string | number)[]) {
    const common = [clock?.now() ?? "", idleMs, lifetimeMs];
    return redis.script(script, [sessionsKey(userId)], [...common, ...args]);
  }

  async function check(token: string): Promise<CheckedSession | undefined> {
    const pointer = await pointers.find(token);
    if (pointer === undefined) return undefined;
    const { userId, id } = pointer;
    const keys = [sessionsKey(userId), userKey(userId)];
    const found = await redis.script(findScript, keys, [clock?.now() ?? "", id]);
    if (found === null) return undefined;
    const [text, kept, checkedAt] = found;
    let stored = JSON.parse(text) as Stored | Revoked;
    if ("revokedAt" in stored || checkedAt >= sessionEndsAt(stored, policy)) return undefined;
    if (checkedAt - stored.usedAt >= touchEveryMs) {
      const touched = await run(touchScript, userId, id);
      if (touched === null) return undefined;
      stored = JSON.parse(touched) as Stored;
    }
    const session = { userId, id, ...stored };
    return { session, user: decodeUser(kept, checkedAt), checkedAt };
  }

  return {
    policy,
    embedded: false,
    create: async ({ userId, device, id = createSessionId(), token = createSessionToken() }) => {
      await pointers.write(token, { userId, id }, lifetimeMs);
      const text = await run(createScript, userId, policy.perUserMax, id, device);
      return { token, session: { userId, id, ...(JSON.parse(text) as Stored) } };
    },
    find: async (token) => (await check(token))?.session,
    check,
    keepUser: async (user, checkedAt) => {
      const args = [
        clock?.now() ?? "",
        checkedAt + keepUserMsMax,
        userKeptMs,
        JSON.stringify(user),
      ];
      await redis.script(keepUserScript, [userKey(user.id)], args);
    },
    dropUser: async (userId) => {
      const args = [clock?.now() ?? "", Number.MAX_SAFE_INTEGER, userDroppedMs, ""];
      await redis.script(keepUserScript, [userKey(userId)], args);
    },
    list: async (userId) => {
      const texts = await run(listScript, userId);
      return texts.map((text) => ({ userId, ...(JSON.parse(text) as Omit<Session, "userId">) }));
    },
    revoke: async (token) => {
      const pointer = await pointers.find(token);
      if (pointer !== undefined) await run(revokeScript, pointer.userId, pointer.id, "");
    },
    revokeOne: async ({ userId, id }) => (await run(revokeScript, userId, id || "-", "")) > 0,
    revokeAll: ({ userId, except = "" }) => run(revokeScript, userId, "", except),
    ping: (ping) => redis.ping(ping),
  };
}

/**
 * Who a token belongs to. A pointer never changes, so a process remembers those it has seen, and a
 * check is one round trip.
 */
function createPointers(redis: RedisClient, keyPrefix: string) {
  const known = new Map<string, Pointer>();
  const keyOf = (token: string) => {
    const key = sessionKeyOf(token);
    return key === undefined ? undefined : `${keyPrefix}auth:sessions:{${key}}`;
  };

  function remember(key: string, pointer: Pointer): void {
    const [oldest = key] = known.keys();
    if (known.size >= pointersMax) known.delete(oldest);
    known.set(key, pointer);
  }

  return {
    write: async (token: string, pointer: Pointer, lifeMs: number): Promise<void> => {
      const key = keyOf(token) ?? "";
      await redis.run((client) => client.set(key, JSON.stringify(pointer), "PX", lifeMs));
      remember(key, pointer);
    },
    find: async (token: string): Promise<Pointer | undefined> => {
      const key = keyOf(token);
      if (key === undefined) return undefined;
      const seen = known.get(key);
      if (seen !== undefined) return seen;
      const text = await redis.script(pointersScript, [key], []);
      if (text === null) return undefined;
      const pointer = JSON.parse(text) as Pointer;
      remember(key, pointer);
      return pointer;
    },
  };
}

function decodeUser(kept: string | null, now: number): User | undefined {
  if (kept === null) return undefined;
  const end = kept.indexOf(":");
  const isKept = now < Number(kept.slice(0, end)) && end < kept.length - 1;
  return isKept ? (JSON.parse(kept.slice(end + 1)) as User) : undefined;
}
