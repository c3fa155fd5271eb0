import { isInstantError } from "../../core/errors.ts";
import type { RedisClient } from "../../core/redis/client.ts";
import { redisScript } from "../../core/redis/script.ts";
import countText from "./redis-count.lua" with { type: "text" };
import addText from "./redis-count-add.lua" with { type: "text" };

const addScript = redisScript<number>(addText);
const countScript = redisScript<number>(countText);
const gatherMs = 50;

/**
 * How many records were made in the last 24 h: totals per minute in one hash, so that asking costs
 * the same whatever Redis holds.
 *
 * Idle: nothing to add. Gathering: records were counted here; 50 ms later one command adds them. An
 * add that failed is given up (the count is approximate after crashes), closing adds what is left.
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

  addOne(): void {
    this.#gathered += 1;
    this.#timer ??= setTimeout(() => void this.flush(), gatherMs);
  }

  /** Never rejects for what Redis says or does; its client logs that. */
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
