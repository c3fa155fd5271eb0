import { Redis } from "ioredis";
import type { Log } from "../log.ts";
import { withDeadline } from "../time.ts";
import { Availability, probeWrites } from "./availability.ts";
import type { RedisConnection } from "./config.ts";
import { serverOptions } from "./config.ts";
import { classifyRedisError, findRefusal } from "./errors.ts";
import type { RedisScript, ScriptArguments } from "./script.ts";
import { ScriptRunner } from "./script.ts";

/** How many calls are in flight, for who waits until there is none. */
class CallCount {
  #inFlight = 0;
  #none: PromiseWithResolvers<void> | undefined;

  begin(): void {
    this.#inFlight += 1;
  }

  end(): void {
    this.#inFlight -= 1;
    if (this.#inFlight === 0) this.#none?.resolve();
  }

  async none(): Promise<void> {
    if (this.#inFlight === 0) return;
    this.#none ??= Promise.withResolvers();
    await this.#none.promise;
  }
}

/** A command without an answer fails after this; a connection that is silent so long is dropped. */
const redisCommandTimeoutMs = 2000;
/** A little earlier than the commands give up, so that those that wait behind them fail at once. */
const silenceMsMax = redisCommandTimeoutMs - 100;
const firstConnectWaitMs = 2000;
const againAfterMs = 100;

/**
 * One connection to Redis, shared by whoever is given it.
 *
 * Disconnected (see `Availability`): every call fails at once; connecting is tried again for ever
 * after 50, 100, 200 … up to 1000 ms (and up to 100 ms of jitter). Connected: calls are pipelined
 * with those of the same turn of the event loop and fail after 2 s without an answer. A call in
 * flight when the connection breaks is sent again once, if Redis available again in time; so is one that the
 * server refused because another takes the writes now, which wrote nothing. Closed: every call fails.
 *
 * Whatever fails throws `redis_unavailable`, and the command may have been carried out all the same.
 */
export interface RedisClient extends AsyncDisposable {
  /** For people: "localhost:6379/0". */
  readonly address: string;
  /** Never blocks. */
  readonly connection: "connected" | "disconnected";
  /** What the server says why it cannot be used, and the fix; undefined for any other reason. */
  readonly refusal: string | undefined;
  run<T>(command: (redis: Redis) => Promise<T>): Promise<T>;
  script<Reply>(
    script: RedisScript<Reply>,
    keys: readonly string[],
    args: ScriptArguments,
  ): Promise<Reply>;
  /** Throws the server's own words when it does not answer, or takes no writes. */
  ping(options: { readonly deadlineMs: number }): Promise<void>;
  /** Waits for the calls in flight (2 s at most), then says goodbye. Idempotent. */
  close(): Promise<void>;
}

interface RedisClientOptions {
  readonly connection: RedisConnection;
  readonly log: Log;
  /** Seen by `CLIENT LIST`. */
  readonly name?: string;
}

/** Resolves once connected, or disconnected when Redis is not there now (2 s at most). */
export async function openRedis(options: RedisClientOptions): Promise<RedisClient> {
  const { connection } = options;
  const address = `${connection.host}:${connection.port}/${connection.db}`;
  const redis: Redis = createRedis(options, (times) => availability.reconnectDelayMs(times));
  const availability = new Availability(redis, { address, connection, log: options.log });
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
    enableReadyCheck: false, // Availability asks more, and knows why not
    maxRetriesPerRequest: 1,
    commandTimeout: redisCommandTimeoutMs,
    socketTimeout: silenceMsMax,
    connectTimeout: 5000,
    retryStrategy: reconnectDelayMs,
  });
}

function createClient(redis: Redis, address: string, availability: Availability): RedisClient {
  const calls = new CallCount();
  const scripts = new ScriptRunner(redis);
  let closing: Promise<void> | undefined;
  const count = async <T>(call: () => Promise<T>): Promise<T> => {
    if (closing !== undefined) throw classifyRedisError("Connection is closed", address);
    calls.begin();
    try {
      return await call();
    } catch (error) {
      throw classifyRedisError(error, address, availability);
    } finally {
      calls.end();
    }
  };
  const run = <T>(command: (redis: Redis) => Promise<T>): Promise<T> =>
    count(() => repeatRefused(() => command(redis), availability));
  const close = async () => {
    await calls.none();
    try {
      if (redis.status === "ready") await withDeadline("QUIT", 500, redis.quit());
    } catch {
      // it is closed below, whether Redis said goodbye or not
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
    run,
    script: (script, keys, args) => run(() => scripts.run(script, keys, args)),
    ping: async ({ deadlineMs }) => {
      try {
        await withDeadline(
          "asking Redis",
          deadlineMs,
          count(() => attempt(() => probeWrites(redis), availability)),
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

/** A call that wrote nothing is made once more when the right server answers in time. */
async function repeatRefused<T>(call: () => Promise<T>, availability: Availability): Promise<T> {
  try {
    return await attempt(call, availability);
  } catch (error) {
    const refusal = findRefusal(error);
    if (refusal === undefined || refusal.kind === "unwritable") throw error;
    if (refusal.kind === "again") await Bun.sleep(againAfterMs);
    if (!(await availability.untilUsable(redisCommandTimeoutMs))) throw error;
  }
  return attempt(call, availability);
}

async function attempt<T>(call: () => Promise<T>, availability: Availability): Promise<T> {
  if (!availability.usable) throw new Error("not connected");
  try {
    return await call();
  } catch (error) {
    availability.classify(error);
    throw error;
  }
}
