// The Redis client: one connection, errors of ours.
import { Redis } from "ioredis";
import type { InstantError } from "../errors.ts";
import type { Log } from "../log.ts";
import { withDeadline } from "../time.ts";
import { Availability, probeWrites, serverOptions } from "./availability.ts";
import type { RedisConnection } from "./config.ts";
import { redisAddress } from "./config.ts";
import { classifyRedisError, findRefusal } from "./errors.ts";
import type { RedisScript, ScriptArguments } from "./scripts.ts";
import { ScriptRunner } from "./scripts.ts";

/** A command without an answer fails after this; a connection that is silent so long is dropped. */
const redisCommandTimeoutMs = 2000;
/** Slightly less than the commands' timeout, so that those queued behind them fail at once. */
const silenceMsMax = redisCommandTimeoutMs - 100;
const firstConnectWaitMs = 2000;
const againAfterMs = 100;

/**
 * One connection to Redis, shared by all its users.
 *
 * Disconnected (see `Availability`): every call fails at once, while ioredis reconnects forever
 * after 50, 100, 200 … up to 1000 ms (and up to 100 ms of jitter). Connected: calls are pipelined
 * with those of the same turn of the event loop and fail after 2 s without an answer. A call in
 * flight when the connection breaks is sent again once, if Redis is available again in time; so is
 * one that was refused because another server is the master now. Closed: every call fails.
 *
 * Every failure throws `redis_unavailable`, and the command may have been executed nevertheless.
 */
export interface RedisClient extends AsyncDisposable {
  /** For people: "localhost:6379/0". */
  readonly address: string;
  /** Never blocks. */
  readonly connection: "connected" | "disconnected";
  /** The server's own reason why it cannot be used, and the fix; undefined for other reasons. */
  readonly refusal: string | undefined;
  run<T>(command: (redis: Redis) => Promise<T>): Promise<T>;
  script<Reply>(
    script: RedisScript<Reply>,
    keys: readonly string[],
    args: ScriptArguments,
  ): Promise<Reply>;
  /**
   * As many calls of a merging script as there are keys, each with its share of `args`. An item that
   * is an error is of its call alone; throws when none has an answer.
   */
  scriptAll<Reply>(
    script: RedisScript<Reply>,
    keys: readonly string[],
    args: ScriptArguments,
  ): Promise<readonly (Reply | InstantError)[]>;
  /** Throws, with the server's reason if any, when it does not answer or rejects writes. */
  ping(options: { readonly deadlineMs: number }): Promise<void>;
  /** Waits for the calls in flight (2 s at most), then sends QUIT. Idempotent. */
  close(): Promise<void>;
}

interface RedisClientOptions {
  readonly connection: RedisConnection;
  readonly log: Log;
  /** Shown by `CLIENT LIST`. */
  readonly name?: string;
}

/** Resolves once connected, or disconnected when Redis is unavailable (after 2 s at most). */
export async function openRedis(options: RedisClientOptions): Promise<RedisClient> {
  const { connection } = options;
  const address = redisAddress(connection);
  const redis: Redis = createRedis(options, (times) => availability.reconnectDelayMs(times));
  const availability = new Availability(redis, connection, options.log);
  await availability.firstAnswer(firstConnectWaitMs);
  return createClient(redis, address, availability);
}

function createRedis(
  { connection, name }: RedisClientOptions,
  reconnectDelayMs: (times: number) => number,
): Redis {
  return new Redis({
    ...serverOptions(connection),
    connectionName: name ?? "instant",
    enableAutoPipelining: true,
    enableOfflineQueue: false,
    enableReadyCheck: false, // Availability checks more, and knows the reason
    maxRetriesPerRequest: 1,
    commandTimeout: redisCommandTimeoutMs,
    socketTimeout: silenceMsMax,
    connectTimeout: 5000,
    retryStrategy: reconnectDelayMs,
  });
}

function createClient(redis: Redis, address: string, availability: Availability): RedisClient {
  const scripts = new ScriptRunner(redis);
  const drained = Promise.withResolvers<void>();
  let inFlight = 0;
  let closing: Promise<void> | undefined;

  /** One promise around each call: a request makes several. */
  async function call<T>(command: () => Promise<T>, repeatsMax: 0 | 1): Promise<T> {
    if (closing !== undefined) throw classifyRedisError("Connection is closed", address);
    inFlight += 1;
    try {
      for (let repeats = 0; ; repeats += 1) {
        try {
          if (!availability.usable) throw new Error("not connected");
          return await command();
        } catch (error) {
          availability.notice(error);
          if (repeats < repeatsMax && (await canRepeat(error, availability))) continue;
          throw classifyRedisError(error, address, availability);
        }
      }
    } finally {
      inFlight -= 1;
      if (inFlight === 0 && closing !== undefined) drained.resolve();
    }
  }

  const close = async () => {
    if (inFlight > 0) await drained.promise;
    try {
      if (redis.status === "ready") await withDeadline("QUIT", 500, redis.quit());
    } catch {
      // disconnected below in any case
    } finally {
      availability.stop();
      redis.disconnect();
    }
  };
  const client: RedisClient = {
    address,
    get connection() {
      return availability.usable ? "connected" : "disconnected";
    },
    get refusal() {
      return availability.refusal;
    },
    run: (command) => call(() => command(redis), 1),
    script: (script, keys, args) => call(() => scripts.run(script, keys, args, false), 1),
    scriptAll: <Reply>(
      script: RedisScript<Reply>,
      keys: readonly string[],
      args: ScriptArguments,
    ) =>
      call(async () => {
        const items: unknown[] = await scripts.run(script, keys, args, true);
        for (const [index, item] of items.entries()) {
          if (!(item instanceof Error)) continue;
          const refusal = findRefusal(item);
          if (refusal !== undefined && refusal.kind !== "unwritable") throw item; // all are repeated
          availability.notice(item);
          items[index] = classifyRedisError(item, address, availability);
        }
        return items as (Reply | InstantError)[];
      }, 1),
    ping: async ({ deadlineMs }) => {
      try {
        const answer = call(() => requireWrites(redis), 0);
        await withDeadline("asking Redis", deadlineMs, answer);
      } catch (error) {
        throw classifyRedisError(error, address);
      }
    },
    close: () => {
      closing ??= close();
      return closing;
    },
    [Symbol.asyncDispose]: () => client.close(),
  };
  return client;
}

async function requireWrites(redis: Redis): Promise<void> {
  const refusal = await probeWrites(redis);
  if (refusal !== undefined) throw new Error(refusal.reply);
}

/** Whether a call was refused, so that it wrote nothing, and the right server answers in time. */
async function canRepeat(error: unknown, availability: Availability): Promise<boolean> {
  const refusal = findRefusal(error);
  if (refusal === undefined || refusal.kind === "unwritable") return false;
  if (refusal.kind === "again") await Bun.sleep(againAfterMs);
  return availability.untilUsable(redisCommandTimeoutMs);
}
