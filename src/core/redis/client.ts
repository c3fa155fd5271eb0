import { Redis } from "ioredis";
import { withDeadline } from "../deadline.ts";
import type { Log } from "../log.ts";
import { CallCount } from "./call-count.ts";
import type { RedisConnection } from "./config.ts";
import { connectFailureLine } from "./connect-failure.ts";
import { classifyRedisError } from "./errors.ts";
import type { RedisScript, ScriptArguments } from "./script.ts";
import { ScriptRunner } from "./script.ts";
import { serverOptions } from "./server-options.ts";

/** A command without an answer fails after this; a connection that is silent so long is dropped. */
export const redisCommandTimeoutMs = 2000;
/** A little earlier than the commands give up, so that those that wait behind them fail at once. */
const silenceMsMax = redisCommandTimeoutMs - 100;
const reconnectDelayMsMin = 50;
const reconnectDelayMsMax = 1000;
const firstConnectWaitMs = 2000;

/**
 * One connection to Redis, shared by whoever is given it.
 *
 * Disconnected: every call fails at once; connecting is tried again for ever after 50, 100, 200 …
 * up to 1000 ms (and up to 100 ms of jitter). Connected: calls are pipelined with those of the same
 * turn of the event loop and fail after 2 s without an answer. A call in flight when the connection
 * breaks is sent again once, if Redis is back in time. Closed: every call fails.
 *
 * Whatever fails throws `redis_unavailable`, and the command may have been carried out all the same.
 */
export interface RedisClient extends AsyncDisposable {
  /** For people: "localhost:6379/0". */
  readonly address: string;
  /** Never blocks. */
  readonly connection: "connected" | "disconnected";
  run<T>(command: (redis: Redis) => Promise<T>): Promise<T>;
  script<Reply>(
    script: RedisScript<Reply>,
    keys: readonly string[],
    args: ScriptArguments,
  ): Promise<Reply>;
  ping(options: { readonly deadlineMs: number }): Promise<void>;
  /** Waits for the calls in flight (2 s at most), then says goodbye. Idempotent. */
  close(): Promise<void>;
}

export interface RedisClientOptions {
  readonly connection: RedisConnection;
  readonly log: Log;
  /** Seen by `CLIENT LIST`. */
  readonly name?: string;
}

/** Resolves once connected, or disconnected when Redis is not there now (2 s at most). */
export async function openRedis(options: RedisClientOptions): Promise<RedisClient> {
  const { connection } = options;
  const address = `${connection.host}:${connection.port}/${connection.db}`;
  const redis = createRedis(options);
  const trouble = watchConnection(redis, address, options);
  await firstAttempt(redis);
  return createClient(redis, address, trouble);
}

function createRedis({ connection, name }: RedisClientOptions): Redis {
  return new Redis({
    ...serverOptions(connection),
    connectionName: name ?? "instant",
    enableAutoPipelining: true,
    enableOfflineQueue: false,
    maxRetriesPerRequest: 1,
    commandTimeout: redisCommandTimeoutMs,
    socketTimeout: silenceMsMax,
    connectTimeout: 5000,
    retryStrategy: (times) =>
      Math.min(reconnectDelayMsMin * 2 ** Math.min(times - 1, 10), reconnectDelayMsMax) +
      Math.floor(Math.random() * 100),
  });
}

const lost =
  "the connection was lost: start Redis there (docker-compose up -d redis), or check REDIS_URL or REDIS_ADDR";

/**
 * One line when Redis goes away, with the reason and the mend, and one when it is back. Returns what
 * tells why it is away now, as the last try to connect has it.
 */
function watchConnection(
  redis: Redis,
  address: string,
  { connection, log }: RedisClientOptions,
): () => string | undefined {
  let trouble: string | undefined;
  const away = (reason: string) => {
    if (trouble === undefined) log.warn({ redis: address, reason }, "Redis is away");
    trouble = reason;
  };
  redis.on("error", (error: unknown) => away(connectFailureLine(error, connection)));
  redis.on("reconnecting", () => away(trouble ?? lost));
  redis.on("ready", () => {
    if (trouble !== undefined) log.info({ redis: address }, "Redis is back");
    trouble = undefined;
  });
  return () => trouble;
}

function firstAttempt(redis: Redis): Promise<void> {
  return new Promise((resolve) => {
    const timer = setTimeout(resolve, firstConnectWaitMs);
    const finish = () => {
      clearTimeout(timer);
      resolve();
    };
    redis.once("ready", finish);
    redis.once("close", finish);
  });
}

function createClient(
  redis: Redis,
  address: string,
  trouble: () => string | undefined,
): RedisClient {
  const calls = new CallCount();
  const scripts = new ScriptRunner(redis);
  let closing: Promise<void> | undefined;
  const run = async <T>(command: (redis: Redis) => Promise<T>): Promise<T> => {
    if (closing !== undefined) throw classifyRedisError("Connection is closed", address);
    calls.begin();
    try {
      return await command(redis);
    } catch (error) {
      throw classifyRedisError(error, address, trouble());
    } finally {
      calls.end();
    }
  };
  const close = async () => {
    await calls.none();
    try {
      if (redis.status === "ready") await withDeadline("QUIT", 500, redis.quit());
    } catch {
      // it is closed below, whether Redis said goodbye or not
    } finally {
      redis.disconnect();
    }
  };
  const client: RedisClient = {
    address,
    get connection() {
      return redis.status === "ready" ? "connected" : "disconnected";
    },
    run,
    script: (script, keys, args) => run(() => scripts.run(script, keys, args)),
    ping: async ({ deadlineMs }) => {
      try {
        await withDeadline(
          "PING",
          deadlineMs,
          run((connected) => connected.ping()),
        );
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
