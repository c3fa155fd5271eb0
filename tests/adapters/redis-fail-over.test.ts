/** A Redis that answers, and is not the one that takes writes, or not yet. */
import { describe, expect, test } from "bun:test";
import { createLog } from "../../src/core/log.ts";
import { openRedis } from "../../src/core/redis/client.ts";
import { diagnoseRedis } from "../../src/core/redis/diagnose.ts";
import { redisScript } from "../../src/core/redis/scripts.ts";
import { eventually } from "../../support/eventually.ts";
import { hasRedisServer, openOwnRedis, openRedisPair } from "../../support/own-redis.ts";
import { diagnosed, findTrouble } from "../support/doctor.ts";
import { openScriptedRedis } from "../support/scripted-redis.ts";

const increment = redisScript<number>('return redis.call("INCR", KEYS[1])');
const mergedText = `local replies = {}
  for i, key in ipairs(KEYS) do replies[i] = redis.call("INCR", key) end return replies`;
const merged = redisScript<number>(mergedText, { merges: true });
const eachText = `local replies = {}
  for i, key in ipairs(KEYS) do replies[i] = redis.pcall("INCR", key) end return replies`;
const mergedEach = redisScript<number>(eachText, { merges: true });

async function openClient({ host, port }: { readonly host: string; readonly port: number }) {
  const lines: { readonly msg: string; readonly reason?: string }[] = [];
  const write = (line: string) => lines.push(JSON.parse(line));
  const log = createLog({ service: "test", level: "debug", write });
  const connection = { host, port, username: undefined, password: undefined, db: 0, tls: false };
  return { connection, client: await openRedis({ connection, log }), lines };
}

const failure = (work: Promise<unknown>) =>
  work.then(
    () => "it succeeded",
    (error: unknown) => String(error),
  );

describe.skipIf(!hasRedisServer())("a Redis that fails over", () => {
  test("is followed by calls of each kind, each executed once, though old connections stay", async () => {
    await using pair = await openRedisPair();
    const { client, lines } = await openClient(pair);
    await using _ = client;
    const forms: readonly ((key: string) => Promise<unknown>)[] = [
      (key) => client.run((redis) => redis.incr(key)),
      (key) => client.script(increment, [key], []),
      (key) => client.script(merged, [key], []),
      (key) => client.script(mergedEach, [key], []),
    ];
    for (const [index, form] of forms.entries()) {
      await pair.failOver();
      const keys = Array.from({ length: 60 }, (_, number) => `n-${index}-${number}`);
      expect(await Promise.all(keys.map(form))).toEqual(keys.map(() => 1));
    }
    const words = lines
      .filter(({ msg }) => msg === "Redis unavailable")
      .map(({ reason }) => reason);
    expect(words).toHaveLength(forms.length);
    for (const reason of words) expect(reason).toContain("READONLY You can't write against a read");
  });

  test("when the address follows late: calls fail with the server's words, then succeed", async () => {
    await using master = await openOwnRedis();
    const { client } = await openClient(master);
    await using _ = client;
    await client.script(increment, ["n"], []);
    const { connection } = client;
    expect(connection).toBe("connected");
    await client.run((redis) => redis.replicaof("127.0.0.1", 1));
    expect(await failure(client.script(increment, ["n"], []))).toContain("READONLY");
    expect(client.connection).toBe("disconnected");
    expect(client.refusal).toContain("READONLY");
    expect(client.refusal).toContain("oint REDIS_URL or REDIS_ADDR to the master");
    expect(await failure(client.ping({ deadlineMs: 1000 }))).toContain("READONLY");
    const admin = Bun.spawnSync(["redis-cli", "-p", String(master.port), "REPLICAOF", "NO", "ONE"]);
    expect(admin.exitCode).toBe(0);
    await eventually("usable", () => client.connection === "connected");
    expect(await client.script(increment, ["n"], [])).toBe(2);
  });

  test("a replica from the start never counts as connected, and doctor agrees", async () => {
    await using pair = await openRedisPair();
    const port = Number((await pair.call("replica", "CONFIG", "GET", "port")).split("\n")[1]);
    const { client, connection, lines } = await openClient({ host: "127.0.0.1", port });
    await using _ = client;
    expect(client.connection).toBe("disconnected");
    expect(await failure(client.run((redis) => redis.get("n")))).toContain("READONLY");
    expect(lines).toMatchObject([{ msg: "Redis unavailable" }]);
    const found = await diagnosed((diagnosis) => diagnoseRedis(connection, diagnosis));
    expect(findTrouble(found, "redis.role").text).toContain("READONLY");
  });
});

describe("a Redis that replies", () => {
  const failing = "ERR Error running script (call to f_0): @user_script:1: @user_script: 1: ";

  test.each([
    "LOADING Redis is loading the dataset in memory",
    "BUSY Redis is busy running a script. You can only call SCRIPT KILL or SHUTDOWN NOSAVE.",
  ])("%s: is awaited on the same connection", async (reply) => {
    await using server = openScriptedRedis(() => `-${reply}`);
    const { client, lines } = await openClient(server);
    await using _ = client;
    expect(client.connection).toBe("disconnected");
    expect(client.refusal).toContain(reply);
    await eventually("it is asked again", () => server.commands.filter(isProbe).length >= 3);
    server.answer(() => ":0");
    await eventually("usable", () => client.connection === "connected");
    expect(server.connections).toBe(1);
    expect(lines.map(({ msg }) => msg)).toEqual(["Redis unavailable", "Redis available again"]);
    // A replica that loads anew says it in the middle of a connection.
    server.answer((command) => (isProbe(command) ? ":0" : `-${reply}`));
    const error = await failure(client.script(increment, ["n"], []));
    expect(error).toContain(reply);
    expect(server.connections).toBe(1);
  });

  test.concurrent.each([
    "READONLY You can't write against a read only replica. script: 0123456789012345678901234567890123456789, on @user_script:1.",
    `${failing}-READONLY You can't write against a read only slave.`,
    "CLUSTERDOWN The cluster is down",
    "MASTERDOWN Link with MASTER is down and replica-serve-stale-data is set to 'no'.",
    "MOVED 1234 127.0.0.1:1",
    "REDIRECT 127.0.0.1:1",
  ] as const)(
    "%s: is connected to again, at growing intervals, and the call made again",
    async (reply) => {
      let refusals = 0;
      await using server = openScriptedRedis(() => ":0");
      const { client } = await openClient(server);
      await using _ = client;
      server.answer((command) => (isProbe(command) || refusals++ > 0 ? ":1" : `-${reply}`));
      expect(await client.script(increment, ["n"], [])).toBe(1);
      expect(server.connections).toBe(2);
      server.answer(() => `-${reply}`);
      const startedAt = performance.now();
      const error = await failure(client.script(increment, ["n"], []));
      const tookMs = performance.now() - startedAt;
      const code = /[A-Z]{5,}/.exec(reply.replace("ERR Error", ""))?.[0] ?? "";
      expect(error).toContain(code);
      expect(error).not.toContain("script:");
      expect(client.refusal).toContain(code);
      expect(server.connections - 2).toBeLessThan(2 + tookMs / 200); // 50, 100, 200, 400, 800 … ms
    },
  );

  test.each([
    "MISCONF Redis is configured to save RDB snapshots, but it's currently unable to persist",
    "OOM command not allowed when used memory > 'maxmemory'.",
    "NOREPLICAS Not enough good replicas to write.",
    "NOPERM this user has no permissions to run the 'evalsha' command",
  ])("%s: stays connected, and reports it", async (reply) => {
    await using server = openScriptedRedis(() => `-${reply}`);
    const { client } = await openClient(server);
    await using _ = client;
    expect(client.connection).toBe("connected");
    expect(await failure(client.script(increment, ["n"], []))).toContain(reply);
    expect(client.connection).toBe("connected");
    if (!reply.startsWith("NOPERM")) {
      expect(await failure(client.ping({ deadlineMs: 1000 }))).toContain(reply);
    }
    expect(server.connections).toBe(1);
  });

  test("TRYAGAIN: gets the call again in a moment", async () => {
    let refusals = 0;
    await using server = openScriptedRedis(() => ":0");
    const { client } = await openClient(server);
    await using _ = client;
    server.answer(() =>
      refusals++ > 0 ? ":1" : "-TRYAGAIN Multiple keys request during rehashing",
    );
    expect(await client.script(increment, ["n"], [])).toBe(1);
    expect(server.connections).toBe(1);
  });
});

function isProbe(command: string): boolean {
  return command === "SETRANGE";
}
