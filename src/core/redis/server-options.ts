import { Redis } from "ioredis";
import type { RedisConnection } from "./config.ts";

/** Where the server is and how to log in, as ioredis takes it. */
export function serverOptions(connection: RedisConnection) {
  const { host, port, username, password, db, tls, ca } = connection;
  return {
    host,
    port,
    username,
    password,
    db,
    ...(tls ? { tls: ca === undefined ? {} : { ca } } : {}),
  };
}

const askTimeoutMs = 1000;

/** How many databases the server has, by a connection of its own; undefined when it does not say. */
export async function findDatabaseCount(connection: RedisConnection): Promise<number | undefined> {
  const redis = new Redis({
    ...serverOptions({ ...connection, db: 0 }),
    lazyConnect: true,
    enableReadyCheck: false,
    maxRetriesPerRequest: 0,
    connectTimeout: askTimeoutMs,
    commandTimeout: askTimeoutMs,
    retryStrategy: () => null,
  });
  redis.on("error", () => {}); // the call rejects as well
  try {
    await redis.connect();
    const reply = (await redis.config("GET", "databases")) as readonly string[];
    return Number(reply[1]) || undefined;
  } catch {
    return undefined; // not everybody may ask, and whoever asks has a failure of his own to show
  } finally {
    redis.disconnect();
  }
}
