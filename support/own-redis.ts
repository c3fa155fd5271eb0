import { silentLog } from "../src/core/log.ts";
import type { RedisClient } from "../src/core/redis/client.ts";
import { openRedis } from "../src/core/redis/client.ts";
import { redisFields, resolveRedis } from "../src/core/redis/config.ts";
import { answersRedis, choosePort } from "./engines/server.ts";
import { eventually } from "./eventually.ts";
import type { OwnServer } from "./own-server.ts";
import { openOwnServer } from "./own-server.ts";
import { parseConfig } from "./settings.ts";
import { StallableProxy } from "./stallable-proxy.ts";
import { temporaryDirectory } from "./temporary-directory.ts";

/**
 * A private redis-server that a test may treat badly. What it answered survives `stop` and `kill`
 * (an append-only file, synced always), unless `persistent` is false.
 */
export interface OwnRedis extends OwnServer {
  readonly url: string;
  readonly host: string;
  readonly port: number;
}

interface OwnRedisOptions {
  readonly persistent?: boolean;
  /** Further arguments of redis-server, as ["--requirepass", "secret"]. */
  readonly args?: readonly string[];
}

/** False: no redis-server here; skip what needs its own. Throws when `CI=true`. */
export function hasRedisServer(): boolean {
  if (Bun.which("redis-server") !== null) return true;
  if (process.env["CI"] === "true") throw new Error("CI has no redis-server");
  console.warn("SKIPPED: no redis-server on the PATH");
  return false;
}

export async function openOwnRedis(options: OwnRedisOptions = {}): Promise<OwnRedis> {
  const { persistent = true, args = [] } = options;
  const directory = temporaryDirectory();
  const port = await choosePort(0);
  const persistence = persistent
    ? ["--appendonly", "yes", "--appendfsync", "always"]
    : ["--appendonly", "no"];
  const place = ["--bind", "127.0.0.1", "--port", String(port), "--dir", directory.path];
  const command = ["redis-server", ...place, "--save", "", ...persistence, ...args];
  const host = "127.0.0.1";
  const answers = () => answersRedis({ host, port });
  const server = await openOwnServer({ command, directory, answers });
  return { ...server, url: `redis://${host}:${port}/0`, host, port };
}

export function openRedisAt(url: string): Promise<RedisClient> {
  const { hostname, port, pathname, username, password } = new URL(url);
  return openRedis({
    connection: {
      host: hostname,
      port: Number(port || 6379),
      username: username || undefined,
      password: password || undefined,
      db: Number(pathname.slice(1) || 0),
      tls: false,
    },
    log: silentLog,
  });
}

/**
 * A master and its replica behind one address that moves. Fail-over leaves the connections that are
 * open where they are: on the demoted one, which answers READONLY to writes and says nothing else.
 */
export interface RedisPair extends AsyncDisposable {
  /** What follows the master. */
  readonly url: string;
  readonly host: string;
  readonly port: number;
  /** As redis-cli would ask the present master or replica. */
  call(role: "master" | "replica", ...command: readonly string[]): Promise<string>;
  /**
   * FAILOVER: the master holds its writes back until the replica has them all, then they change
   * places. So nothing that was answered is lost; a master that dies loses what it had not sent on.
   */
  failOver(): Promise<void>;
  /** The same, but the address stays at the one that was demoted, until `moveAddress`. */
  demote(): Promise<void>;
  moveAddress(): Promise<void>;
}

export async function openRedisPair(): Promise<RedisPair> {
  const stack = new AsyncDisposableStack();
  const args = ["--repl-diskless-sync-delay", "0"];
  let master = stack.use(await openOwnRedis({ args }));
  let replica = stack.use(
    await openOwnRedis({ args: [...args, "--replicaof", master.host, String(master.port)] }),
  );
  const proxy = stack.use(new StallableProxy(`${master.host}:${master.port}`));
  const isLinked = async () =>
    (await redisCli(replica, "INFO", "replication")).includes("master_link_status:up");
  await eventually("the replica follows", isLinked);
  const demote = async () => {
    const to = [replica.host, String(replica.port)];
    await eventually("the master takes its replica for online", async () =>
      (await redisCli(master, "FAILOVER", "TO", ...to)).startsWith("OK"),
    );
    await eventually("it was demoted", async () =>
      (await redisCli(master, "ROLE")).startsWith("slave"),
    );
    [master, replica] = [replica, master];
  };
  const moveAddress = async () => {
    proxy.moveTo(`${master.host}:${master.port}`);
    await eventually("the demoted one follows", isLinked);
  };
  return {
    url: `redis://127.0.0.1:${proxy.port}/0`,
    host: "127.0.0.1",
    port: proxy.port,
    call: (role, ...command) => redisCli(role === "master" ? master : replica, ...command),
    failOver: async () => {
      await demote();
      await moveAddress();
    },
    demote,
    moveAddress,
    [Symbol.asyncDispose]: () => stack.disposeAsync(),
  };
}

async function redisCli(redis: OwnRedis, ...command: readonly string[]): Promise<string> {
  const asked = Bun.spawn(["redis-cli", "-p", String(redis.port), ...command], { stderr: "pipe" });
  return (await new Response(asked.stdout).text()).trim();
}

interface TestRedis extends AsyncDisposable {
  readonly redis: RedisClient;
  /** Of this test alone; its keys are gone when the scope ends. */
  readonly keyPrefix: string;
  keys(): Promise<string[]>;
}

export async function openTestRedis(url: string): Promise<TestRedis> {
  const config = parseConfig({ redis: redisFields }, { REDIS_URL: url }).redis;
  const connection = resolveRedis(config, []);
  if (connection === undefined) throw new Error(`no Redis: ${url}`);
  const redis = await openRedis({ connection, log: silentLog });
  const keyPrefix = `test:${crypto.randomUUID()}:`;
  return {
    redis,
    keyPrefix,
    keys: () => findKeys(redis, keyPrefix),
    [Symbol.asyncDispose]: async () => {
      const left = await findKeys(redis, keyPrefix);
      if (left.length > 0) await redis.run((client) => client.unlink(...left));
      await redis.close();
    },
  };
}

/** By SCAN, in steps: KEYS would block a large shared Redis until it had looked at every key. */
async function findKeys(redis: RedisClient, keyPrefix: string): Promise<string[]> {
  const found = new Set<string>(); // SCAN may return a key twice
  let cursor = "0";
  do {
    const [next, keys] = await redis.run((client) =>
      client.scan(cursor, "MATCH", `${keyPrefix}*`, "COUNT", 1_000),
    );
    for (const key of keys) found.add(key);
    cursor = next;
  } while (cursor !== "0");
  return [...found];
}
