import { createHash } from "node:crypto";
import type { ChainableCommander, Redis } from "ioredis";

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

export type ScriptArguments = readonly (string | number)[];

interface Batch {
  readonly pipeline: ChainableCommander;
  readonly calls: PromiseWithResolvers<unknown>[];
}

/**
 * Sends the scripts that one turn of the event loop asked for in one write, whether or not the
 * answers to the last one are here: ioredis' own pipelining waits for them, and Redis and this
 * process would take turns.
 */
export class ScriptRunner {
  readonly #redis: Redis;
  #batch: Batch | undefined;

  constructor(redis: Redis) {
    this.#redis = redis;
  }

  /** Sends the hash, and the text when the server does not know it (restarted, SCRIPT FLUSH). */
  async run<Reply>(
    script: RedisScript<Reply>,
    keys: readonly string[],
    args: ScriptArguments,
  ): Promise<Reply> {
    try {
      return (await this.#send(script.sha, keys, args)) as Reply;
    } catch (error) {
      if (!(error instanceof Error) || !error.message.startsWith("NOSCRIPT")) throw error;
      return (await this.#redis.eval(script.text, keys.length, ...keys, ...args)) as Reply;
    }
  }

  #send(sha: string, keys: readonly string[], args: ScriptArguments): Promise<unknown> {
    this.#batch ??= this.#openBatch();
    const call = Promise.withResolvers<unknown>();
    this.#batch.pipeline.evalsha(sha, keys.length, ...keys, ...args);
    this.#batch.calls.push(call);
    return call.promise;
  }

  #openBatch(): Batch {
    const batch: Batch = { pipeline: this.#redis.pipeline(), calls: [] };
    setImmediate(() => {
      this.#batch = undefined;
      void sendBatch(batch);
    });
    return batch;
  }
}

async function sendBatch({ pipeline, calls }: Batch): Promise<void> {
  try {
    const results = (await pipeline.exec()) ?? [];
    for (const [index, call] of calls.entries()) {
      const [error, reply] = results[index] ?? [new Error("Connection is closed"), undefined];
      if (error) call.reject(error);
      else call.resolve(reply);
    }
  } catch (error) {
    for (const call of calls) call.reject(error);
  }
}
