import type { Redis } from "ioredis";
import { backoffMs } from "../backoff.ts";
import type { Log } from "../log.ts";
import type { RedisConnection } from "./config.ts";
import { findDatabaseCount } from "./config.ts";
import type { Refusal } from "./errors.ts";
import {
  connectFailureLine,
  findRefusal,
  isMissingDatabase,
  isReply,
  replyText,
} from "./errors.ts";

const reconnectBackoff = { delayMsMin: 50, delayMsMax: 1000 };
const checkEveryMs = 250;
/** A service that nobody uses hears of a fail-over as well. */
const recheckEveryMs = 2000;
const sameReplyEveryMs = 60_000;
const repliesMax = 20;

/** Never holds anything. */
const probeKey = "instant:write-probe";
const lost =
  "the connection was lost: start Redis there (docker-compose up -d redis), or check REDIS_URL or REDIS_ADDR";

/**
 * A write that changes nothing, so that whatever refuses writes says so: a replica, a full memory, a
 * disk that cannot be written. Rejects with the server's reply; resolves as well where only this
 * probe is not allowed.
 */
export async function probeWrites(redis: Pick<Redis, "setrange">): Promise<void> {
  try {
    await redis.setrange(probeKey, 0, "");
  } catch (error) {
    if (!isReply(error) || findRefusal(error) !== undefined) throw error;
  }
}

/**
 * Whether Redis can be used now, and why not.
 *
 * Disconnected: ioredis connects again, for ever, by `reconnectDelayMs`. Checking: connected, and a
 * write that changes nothing is on its way. From there: usable; or the server is not the one that
 * takes writes (see `Refusal`), and the connection is closed to look its name up and connect anew; or
 * it needs time, and is asked again every 250 ms. Usable: until the connection breaks, or any call,
 * or the same write every 2 s, meets such a refusal. A connection whose login was refused, or that
 * has no such database, is never used: ioredis would go on with database 0.
 */
export class Availability {
  readonly #redis: Redis;
  readonly #address: string;
  readonly #connection: RedisConnection;
  readonly #log: Log;
  #usable = false;
  #trouble: string | undefined;
  #refusal: string | undefined;
  #unwritable: string | undefined;
  #databases: number | undefined;
  #stopped = false;
  #loggedReason: string | undefined;
  /** When each was logged last. */
  readonly #replies = new Map<string, number>();
  /** In a row, by servers that took the connection: a replica is not asked 20 times a second. */
  #refusals = 0;
  /** Grows with each connection and each check, so that late answers of an old one are dropped. */
  #epoch = 0;
  #timer: ReturnType<typeof setTimeout> | undefined;
  readonly #answered = Promise.withResolvers<void>();
  readonly #waiting = new Set<() => void>();

  constructor(
    redis: Redis,
    options: {
      readonly address: string;
      readonly connection: RedisConnection;
      readonly log: Log;
    },
  ) {
    this.#redis = redis;
    this.#address = options.address;
    this.#connection = options.connection;
    this.#log = options.log;
    redis.on("error", (error: unknown) => {
      if (isReply(error)) void this.#loginRefused(error);
      else this.#markUnavailable(connectFailureLine(error, options.connection));
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

  /** The same, where it is what the server itself says; while it is usable, why it takes no writes. */
  get refusal(): string | undefined {
    return this.usable ? this.#unwritable : this.#refusal;
  }

  /** 50, 100, 200 … up to 1000 ms, and up to 100 ms of jitter. */
  reconnectDelayMs(times: number): number {
    const delayMs = backoffMs(Math.max(times, this.#refusals), reconnectBackoff);
    return delayMs + Math.floor(Math.random() * 100);
  }

  /**
   * What a call failed of; a refusal may end this connection. What else the server says is logged
   * here, once a minute, since some callers can do without what they asked for and say nothing.
   */
  classify(error: unknown): Refusal | undefined {
    const refusal = findRefusal(error);
    if (refusal !== undefined && this.usable) this.#refused(refusal);
    if (refusal === undefined && isReply(error)) this.#logReply(replyText(error));
    return refusal;
  }

  /** Until it is usable, or says why not; `withinMs` at most. */
  async firstAnswer(withinMs: number): Promise<void> {
    const timer = setTimeout(this.#answered.resolve, withinMs);
    await this.#answered.promise;
    clearTimeout(timer);
  }

  /** True as soon as it is usable, false when it is not within `withinMs`. */
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
    let refusal: Refusal | undefined;
    try {
      await probeWrites(this.#redis);
    } catch (error) {
      refusal = findRefusal(error);
      // The connection broke, or is about to, and says so itself.
      if (refusal === undefined && epoch === this.#epoch) this.#checkIn(recheckEveryMs);
      if (refusal === undefined) return;
    }
    if (epoch !== this.#epoch) return;
    if (refusal?.kind === "elsewhere" || refusal?.kind === "wait") this.#refused(refusal);
    else this.#back(refusal?.kind === "unwritable" ? refusal.reply : undefined);
  }

  #checkIn(ms: number): void {
    clearTimeout(this.#timer);
    this.#timer = setTimeout(() => void this.#check(), ms);
  }

  #refused(refusal: Refusal): void {
    const { kind, reply } = refusal;
    if (kind === "unwritable") this.#writesRefused(reply);
    if (kind !== "elsewhere" && kind !== "wait") return;
    this.#usable = false;
    this.#markUnavailable(connectFailureLine(reply, this.#connection), true);
    if (kind === "elsewhere") {
      this.#refusals += 1;
      this.#reconnect();
    } else {
      this.#checkIn(checkEveryMs);
    }
  }

  /** ioredis does not end the connection when it is the database that is refused. */
  async #loginRefused(error: unknown): Promise<void> {
    this.#usable = false;
    this.#reconnect();
    const connection = this.#connection;
    // Asked for once: until then nothing is logged.
    if (isMissingDatabase(error)) {
      this.#trouble ??= connectFailureLine(error, connection);
      this.#databases ??= await findDatabaseCount(connection);
    }
    if (!this.usable && !this.#stopped) {
      this.#markUnavailable(connectFailureLine(error, connection, this.#databases), true);
    }
  }

  #reconnect(): void {
    this.#redis.disconnect(true);
    this.#redis.stream.destroy(); // it may have answered and then become silent
  }

  #closed(): void {
    this.#usable = false;
    this.#epoch += 1;
    clearTimeout(this.#timer);
  }

  /** One line when it goes away, and another when the server itself then says something else. */
  #markUnavailable(reason: string, isServerReason = false): void {
    this.#trouble = reason;
    this.#refusal = isServerReason ? reason : undefined;
    this.#answered.resolve();
    if (this.#loggedReason === undefined || (isServerReason && this.#loggedReason !== reason)) {
      this.#log.warn({ redis: this.#address, reason }, "Redis unavailable");
      this.#loggedReason = reason;
    }
  }

  /** One line when it begins; nothing has to be connected anew for it. */
  #writesRefused(reply: string): void {
    const reason = connectFailureLine(reply, this.#connection);
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

  /** `unwritable`: it answers, and this is why it takes no writes. */
  #back(unwritable: string | undefined): void {
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
    if (this.#loggedReason !== undefined)
      this.#log.info({ redis: this.#address }, "Redis available again");
    this.#loggedReason = undefined;
    this.#answered.resolve();
    for (const resolve of this.#waiting) resolve();
  }
}
