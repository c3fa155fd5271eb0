import { isInstantError } from "../../core/errors.ts";
import type { RedisClient } from "../../core/redis/client.ts";
import { redisScript } from "../../core/redis/scripts.ts";
import countText from "./redis-count.lua" with { type: "text" };
import addText from "./redis-count-add.lua" with { type: "text" };

const addScript = redisScript<number>(addText);
const countScript = redisScript<number>(countText);
const gatherMs = 50;

/**
 * How many records were made in the last 24 h: totals per minute in one hash, so that counting costs
 * the same however much is in Redis.
 *
 * Idle: nothing to add. Gathering: new records are counted here, and added by one command 50 ms later.
 * An add that fails is given up (the count is approximate after crashes); closing adds the rest.
 */
export class RedisMinuteTotals {
  readonly #redis: RedisClient;
  readonly #key: string;
  #gathered = 0;
  #timer: ReturnType<typeof setTimeout> | undefined;

  constructor(redis: RedisClient, key: string) {
    this.#redis = redis;
    this.#key = key;
  }

  add(count: number): void {
    this.#gathered += count;
    this.#timer ??= setTimeout(() => void this.flush(), gatherMs);
  }

  /** Never rejects for an operating failure of Redis, which its client logs. */
  async flush(): Promise<void> {
    clearTimeout(this.#timer);
    this.#timer = undefined;
    if (this.#gathered === 0) return;
    const count = this.#gathered;
    this.#gathered = 0;
    try {
      await this.#redis.script(addScript, [this.#key], [count]);
    } catch (error) {
      if (!isInstantError(error)) throw error;
    }
  }

  async count(): Promise<number> {
    await this.flush();
    return this.#redis.script(countScript, [this.#key], []);
  }
}
