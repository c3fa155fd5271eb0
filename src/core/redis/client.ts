// The Redis client: one connection, merged scripts, errors of ours.
import { createHash } from "node:crypto";
import { Redis } from "ioredis";
import type { Log } from "../log.ts";
import { withDeadline } from "../time.ts";
import { Availability, probeWrites, serverOptions } from "./availability.ts";
import type { RedisConnection } from "./config.ts";
import { redisAddress } from "./config.ts";
import { classifyRedisError, findRefusal } from "./errors.ts";

/**
 * A Lua script and the type of its reply. ioredis sends unanswered commands again after a reconnect,
 * and a server that was frozen may still run the first copy: a script must be safe to repeat, at any
 * later time. All its keys must be in one hash slot.
 */
export interface RedisScript<Reply> {
  readonly text: string;
  /** Redis names a script by the SHA-1 of its text. */
  readonly sha: string;
  /**
   * Whether several calls may be merged into one: the keys of all, then the arguments of each in
   * turn, by which the script separates the calls. The reply is a list with an item per call; an
   * item that is an error fails only its own call. A Redis of several shards rejects keys of
   * several slots: there each call is sent on its own.
   */
  readonly merges: boolean;
  /** Never set; only for the type. */
  readonly reply?: Reply;
}

export function redisScript<Reply>(
  text: string,
  { merges = false }: { readonly merges?: boolean } = {},
): RedisScript<Reply> {
  return { text, sha: createHash("sha1").update(text).digest("hex"), merges };
}

type ScriptArguments = readonly (string | number)[];

interface Call {
  readonly script: RedisScript<unknown>;
  readonly keys: readonly string[];
  readonly args: ScriptArguments;
  readonly resolve: (reply: unknown) => void;
  readonly reject: (error: unknown) => void;
}

/** What is sent as one command. */
interface Command {
  readonly script: RedisScript<unknown>;
  readonly calls: Call[];
}

/**
 * Redis answers a batch as a whole, so this process handles one while Redis works on the next. And
 * Redis is blocked while a script runs: 50 keys take half a millisecond.
 */
const callsPerWriteMax = 50;

/**
 * Sends the scripts of one turn of the event loop in as few writes as possible, without waiting for
 * the answers to the previous ones, as ioredis' own pipelining does, where Redis and this process
 * idle in turns.
 */
class ScriptRunner {
  readonly #redis: Redis;
  #calls: Call[] = [];
  /** Set once the server has rejected keys of several slots. */
  #isSharded = false;

  constructor(redis: Redis) {
    this.#redis = redis;
  }

  /** Sends the hash, and the text when the server does not know it (restarted, SCRIPT FLUSH). */
  run<Reply>(
    script: RedisScript<Reply>,
    keys: readonly string[],
    args: ScriptArguments,
  ): Promise<Reply> {
    return new Promise((resolve, reject) => {
      if (this.#calls.length === 0) setImmediate(() => this.#sendAll());
      this.#calls.push({ script, keys, args, resolve: resolve as Call["resolve"], reject });
    });
  }

  #sendAll(): void {
    const calls = this.#calls;
    this.#calls = [];
    for (let from = 0; from < calls.length; from += callsPerWriteMax) {
      const some = calls.slice(from, from + callsPerWriteMax);
      void this.#send(this.#isSharded ? some.map(alone) : toCommands(some));
    }
  }

  async #send(commands: readonly Command[]): Promise<void> {
    const pipeline = this.#redis.pipeline();
    for (const command of commands) pipeline.evalsha(command.script.sha, ...parametersOf(command));
    try {
      const results = (await pipeline.exec()) ?? [];
      for (const [index, command] of commands.entries()) {
        const [error, reply] = results[index] ?? [new Error("Connection is closed"), undefined];
        if (!error) settle(command, reply);
        else if (error.message.startsWith("NOSCRIPT")) void this.#sendText(command);
        else if (error.message.startsWith("CROSSSLOT") && command.calls.length > 1) {
          this.#isSharded = true;
          void this.#send(command.calls.map(alone));
        } else fail(command, error);
      }
    } catch (error) {
      for (const command of commands) fail(command, error);
    }
  }

  async #sendText(command: Command): Promise<void> {
    try {
      settle(command, await this.#redis.eval(command.script.text, ...parametersOf(command)));
    } catch (error) {
      fail(command, error);
    }
  }
}

function alone(call: Call): Command {
  return { script: call.script, calls: [call] };
}

function toCommands(calls: readonly Call[]): Command[] {
  const commands: Command[] = [];
  const open = new Map<RedisScript<unknown>, Command>();
  for (const call of calls) {
    const { script } = call;
    const command = script.merges ? open.get(script) : undefined;
    if (command !== undefined) {
      command.calls.push(call);
      continue;
    }
    const next = alone(call);
    open.set(script, next);
    commands.push(next);
  }
  return commands;
}

function parametersOf({ calls }: Command): [keyCount: number, ...(string | number)[]] {
  const parameters: (string | number)[] = [];
  for (const { keys } of calls) parameters.push(...keys);
  const keyCount = parameters.length;
  for (const { args } of calls) parameters.push(...args);
  return [keyCount, ...parameters];
}

function settle({ script, calls }: Command, reply: unknown): void {
  for (const [index, { resolve, reject }] of calls.entries()) {
    const item: unknown = script.merges ? (reply as readonly unknown[])[index] : reply;
    if (item instanceof Error) reject(item);
    else resolve(item);
  }
}

function fail({ calls }: Command, error: unknown): void {
  for (const { reject } of calls) reject(error);
}

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
  const inFlight = new Set<Promise<unknown>>();
  const scripts = new ScriptRunner(redis);
  let closing: Promise<void> | undefined;
  const track = async <T>(call: () => Promise<T>): Promise<T> => {
    if (closing !== undefined) throw classifyRedisError("Connection is closed", address);
    const answer = call();
    inFlight.add(answer);
    try {
      return await answer;
    } catch (error) {
      throw classifyRedisError(error, address, availability);
    } finally {
      inFlight.delete(answer);
    }
  };
  const run = <T>(command: (redis: Redis) => Promise<T>): Promise<T> =>
    track(() => repeatRefused(() => command(redis), availability));
  const close = async () => {
    await Promise.allSettled(inFlight);
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
    run,
    script: (script, keys, args) => run(() => scripts.run(script, keys, args)),
    ping: async ({ deadlineMs }) => {
      try {
        await withDeadline(
          "asking Redis",
          deadlineMs,
          track(() => attempt(() => requireWrites(redis), availability)),
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

async function requireWrites(redis: Redis): Promise<void> {
  const refusal = await probeWrites(redis);
  if (refusal !== undefined) throw new Error(refusal.reply);
}

/** A refused call, which wrote nothing, is made once more if the right server answers in time. */
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
    availability.notice(error);
    throw error;
  }
}
