// Whether Redis can be used, and the connections that probe it.
import type { RedisOptions } from "ioredis";
import { Redis } from "ioredis";
import { failureLine } from "../errors.ts";
import type { Log } from "../log.ts";
import { backoffMs } from "../time.ts";
import type { RedisConnection } from "./config.ts";
import { redisAddress } from "./config.ts";
import type { Refusal } from "./errors.ts";
import {
  describeConnectFailure,
  findRefusal,
  isMissingDatabase,
  isReply,
  replyText,
} from "./errors.ts";

/** Address and login, as options of ioredis. */
export function serverOptions({ ca, tls, ...login }: RedisConnection) {
  return { ...login, ...(tls ? { tls: ca === undefined ? {} : { ca } } : {}) };
}

type Timeouts = Required<Pick<RedisOptions, "connectTimeout" | "commandTimeout">>;

/** A connection for a few commands, opened by `connect()`; nothing is retried. */
export function createProbe(connection: RedisConnection, timeouts: Timeouts): Redis {
  return new Redis({
    ...serverOptions(connection),
    ...timeouts,
    connectionName: "instant-doctor",
    lazyConnect: true,
    enableOfflineQueue: false,
    enableReadyCheck: false, // a server that is loading its data answers INFO
    maxRetriesPerRequest: 0,
    retryStrategy: () => null,
  });
}

/** Never has a value. */
const probeKey = "instant:write-probe";

/**
 * Why the server rejects writes: a replica, a full memory, a failing disk. Found by a write that
 * changes nothing. Undefined when it accepts writes, or denies only this one. Rejects when it does
 * not answer.
 */
export async function probeWrites(redis: Pick<Redis, "setrange">): Promise<Refusal | undefined> {
  try {
    await redis.setrange(probeKey, 0, "");
    return undefined;
  } catch (error) {
    if (!isReply(error)) throw error;
    return findRefusal(error);
  }
}

/** How many databases the server has; undefined if unknown. */
export async function findDatabaseCount(connection: RedisConnection): Promise<number | undefined> {
  const timeouts = { connectTimeout: 1000, commandTimeout: 1000 };
  const redis = createProbe({ ...connection, db: 0 }, timeouts);
  redis.on("error", () => {}); // the call rejects as well
  try {
    await redis.connect();
    const reply = (await redis.config("GET", "databases")) as readonly string[];
    return Number(reply[1]) || undefined;
  } catch {
    return undefined; // CONFIG may be forbidden, and the caller reports its own failure
  } finally {
    redis.disconnect();
  }
}

const reconnectBackoff = { delayMsMin: 50, delayMsMax: 1000 };
const checkEveryMs = 250;
/** So that an idle service notices a fail-over too. */
const recheckEveryMs = 2000;
const sameReplyEveryMs = 60_000;
const repliesMax = 20;

const lost =
  "the connection was lost: start Redis there (docker-compose up -d redis), or check REDIS_URL or REDIS_ADDR";

/**
 * Tracks whether Redis can be used now, and if not, why. `openRedis` checks it before each call and
 * reports failures to it.
 *
 * - Disconnected: ioredis reconnects, forever, by `reconnectDelayMs`. Connected → checking.
 * - Checking: a write that changes nothing was sent. Accepted, or refused as `unwritable` → usable.
 *   `elsewhere` → disconnected, to resolve the name again. `wait` → waiting.
 * - Waiting: connected, but the server needs time. Every 250 ms → checking.
 * - Usable: the same write is sent every 2 s, and its refusal, or that of any call, causes the same
 *   transition as while checking. `unwritable` is only remembered: reads still work.
 *
 * A broken connection leads from any state to disconnected. A connection whose login or database
 * was refused is closed at once: ioredis would continue with database 0.
 */
export class Availability {
  readonly #redis: Redis;
  readonly #address: string;
  readonly #connection: RedisConnection;
  readonly #log: Log;
  #usable = false;
  /** Why it was last not usable; undefined until something is known. */
  #trouble: string | undefined;
  /** Set when the server itself refused. */
  #refusal: string | undefined;
  /** Why it rejects writes, while it is usable. */
  #unwritable: string | undefined;
  #databases: number | undefined;
  #stopped = false;
  #loggedReason: string | undefined;
  /** When each was logged last. */
  readonly #replies = new Map<string, number>();
  /**
   * Consecutive refusals by servers that accepted the connection, so that a replica is not retried
   * 20 times a second.
   */
  #refusals = 0;
  /** Incremented with each connection and check: late answers of an earlier one are dropped. */
  #epoch = 0;
  #timer: ReturnType<typeof setTimeout> | undefined;
  readonly #answered = Promise.withResolvers<void>();
  readonly #waiting = new Set<() => void>();

  constructor(redis: Redis, connection: RedisConnection, log: Log) {
    this.#redis = redis;
    this.#address = redisAddress(connection);
    this.#connection = connection;
    this.#log = log;
    redis.on("error", (error: unknown) => {
      if (isReply(error)) void this.#loginRefused(error);
      else this.#markUnavailable(this.#explain(error));
    });
    redis.on("ready", () => void this.#check());
    redis.on("close", () => this.#closed());
    redis.on("reconnecting", () => {
      if (this.#trouble === undefined) this.#markUnavailable(lost);
    });
  }

  get usable(): boolean {
    return this.#usable && this.#redis.status === "ready";
  }

  /** The reason and the fix in one line; undefined while it is usable, or before the first answer. */
  get trouble(): string | undefined {
    return this.usable ? undefined : this.#trouble;
  }

  /** The same if the server itself refused; while it is usable, why it rejects writes. */
  get refusal(): string | undefined {
    return this.usable ? this.#unwritable : this.#refusal;
  }

  /** 50, 100, 200 … up to 1000 ms, and up to 100 ms of jitter. */
  reconnectDelayMs(times: number): number {
    const delayMs = backoffMs(Math.max(times, this.#refusals), reconnectBackoff);
    return delayMs + Math.floor(Math.random() * 100);
  }

  /**
   * Updates the state by a failed call. Error replies that are not refusals are logged here, each
   * once a minute, because some callers tolerate a failed call and do not report it.
   */
  notice(error: unknown): void {
    const refusal = findRefusal(error);
    if (refusal !== undefined && this.usable) this.#refused(refusal);
    if (refusal === undefined && isReply(error)) this.#logReply(replyText(error));
  }

  /** Resolves when it is usable or the reason is known, after `withinMs` at the latest. */
  async firstAnswer(withinMs: number): Promise<void> {
    const timer = setTimeout(this.#answered.resolve, withinMs);
    await this.#answered.promise;
    clearTimeout(timer);
  }

  /** True as soon as it is usable, false if it is not within `withinMs`. */
  async untilUsable(withinMs: number): Promise<boolean> {
    if (this.usable) return true;
    const { promise, resolve } = Promise.withResolvers<void>();
    const timer = setTimeout(resolve, withinMs);
    this.#waiting.add(resolve);
    await promise;
    clearTimeout(timer);
    this.#waiting.delete(resolve);
    return this.usable;
  }

  stop(): void {
    this.#stopped = true;
    this.#closed();
  }

  async #check(): Promise<void> {
    this.#epoch += 1;
    const epoch = this.#epoch;
    try {
      const refusal = await probeWrites(this.#redis);
      if (epoch !== this.#epoch) return;
      if (refusal?.kind === "elsewhere" || refusal?.kind === "wait") this.#refused(refusal);
      else this.#markUsable(refusal?.kind === "unwritable" ? refusal.reply : undefined);
    } catch {
      // No answer: the connection broke or is about to, which has its own event.
      if (epoch === this.#epoch) this.#checkIn(recheckEveryMs);
    }
  }

  #checkIn(ms: number): void {
    clearTimeout(this.#timer);
    this.#timer = setTimeout(() => void this.#check(), ms);
  }

  #refused({ kind, reply }: Refusal): void {
    if (kind === "unwritable") this.#writesRefused(reply);
    if (kind !== "elsewhere" && kind !== "wait") return;
    this.#usable = false;
    this.#markUnavailable(this.#explain(reply), true);
    if (kind === "elsewhere") {
      this.#refusals += 1;
      this.#reconnect();
    } else {
      this.#checkIn(checkEveryMs);
    }
  }

  /** ioredis keeps the connection when only the database is refused. */
  async #loginRefused(error: unknown): Promise<void> {
    this.#usable = false;
    this.#reconnect();
    // The count is read once; nothing is logged before it arrives.
    if (isMissingDatabase(error)) {
      this.#trouble ??= this.#explain(error);
      this.#databases ??= await findDatabaseCount(this.#connection);
    }
    if (!this.usable && !this.#stopped) this.#markUnavailable(this.#explain(error), true);
  }

  #reconnect(): void {
    this.#redis.disconnect(true);
    this.#redis.stream.destroy(); // the server may have gone silent after its answer
  }

  #closed(): void {
    this.#usable = false;
    this.#epoch += 1;
    clearTimeout(this.#timer);
  }

  /** Logs once when it becomes unavailable, and again when the server itself gives a reason. */
  #markUnavailable(reason: string, isServerReason = false): void {
    this.#trouble = reason;
    this.#refusal = isServerReason ? reason : undefined;
    this.#answered.resolve();
    if (this.#loggedReason === undefined || (isServerReason && this.#loggedReason !== reason)) {
      this.#log.warn({ redis: this.#address, reason }, "Redis unavailable");
      this.#loggedReason = reason;
    }
  }

  /** Logs once when rejections begin; the connection is kept. */
  #writesRefused(reply: string): void {
    const reason = this.#explain(reply);
    if (this.#unwritable === undefined) {
      this.#log.warn({ redis: this.#address, reason }, "Redis rejects writes");
    }
    this.#unwritable = reason;
  }

  #logReply(reply: string): void {
    const now = performance.now();
    if (now - (this.#replies.get(reply) ?? -sameReplyEveryMs) < sameReplyEveryMs) return;
    if (this.#replies.size >= repliesMax) this.#replies.clear();
    this.#replies.set(reply, now);
    this.#log.warn({ redis: this.#address, reply }, "Redis refused a call");
  }

  /** `unwritable`: the reply with the reason why it rejects writes. */
  #markUsable(unwritable: string | undefined): void {
    this.#checkIn(recheckEveryMs);
    if (unwritable !== undefined) this.#writesRefused(unwritable);
    else if (this.#unwritable !== undefined) {
      this.#unwritable = undefined;
      this.#log.info({ redis: this.#address }, "Redis accepts writes again");
    }
    this.#usable = true;
    this.#refusals = 0;
    this.#trouble = undefined;
    this.#refusal = undefined;
    if (this.#loggedReason !== undefined) {
      this.#log.info({ redis: this.#address }, "Redis available again");
    }
    this.#loggedReason = undefined;
    this.#answered.resolve();
    for (const resolve of this.#waiting) resolve();
  }

  #explain(error: unknown): string {
    return failureLine(describeConnectFailure(error, this.#connection, this.#databases));
  }
}
