import { createHash } from "node:crypto";
import type { Redis } from "ioredis";

/**
 * A Lua script and the shape of its reply. ioredis sends unfulfilled commands again after a
 * reconnect, and a server that was frozen may still run an old copy: a script must be safe to
 * repeat, at any later time. All its keys must be of one hash slot.
 */
export interface RedisScript<Reply> {
  readonly text: string;
  /** Redis names a script by the SHA-1 of its text. */
  readonly sha: string;
  /** Never set; it carries the type. */
  readonly reply?: Reply;
}

export function redisScript<Reply>(text: string): RedisScript<Reply> {
  return { text, sha: createHash("sha1").update(text).digest("hex") };
}

/** Sends the hash, and the text when the server does not know it (restarted, or SCRIPT FLUSH). */
export async function evalScript<Reply>(
  redis: Redis,
  script: RedisScript<Reply>,
  keys: readonly string[],
  args: readonly (string | number)[],
): Promise<Reply> {
  try {
    return (await redis.evalsha(script.sha, keys.length, ...keys, ...args)) as Reply;
  } catch (error) {
    if (!(error instanceof Error) || !error.message.startsWith("NOSCRIPT")) throw error;
    return (await redis.eval(script.text, keys.length, ...keys, ...args)) as Reply;
  }
}
