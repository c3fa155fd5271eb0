import type { RedisOptions } from "ioredis";
import { Redis } from "ioredis";
import type { RedisConnection } from "./config.ts";
import type { Refusal } from "./errors.ts";
import { findRefusal, isReply } from "./errors.ts";

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
