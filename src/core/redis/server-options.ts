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
