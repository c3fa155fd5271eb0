import { eventually } from "./eventually.ts";
import type { OwnRedis } from "./own-redis.ts";
import { openOwnRedis } from "./own-redis.ts";
import { StallableProxy } from "./stallable-proxy.ts";

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
