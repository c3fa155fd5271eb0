/** What Redis says is shown in its own words, whoever asked; and no argument with it. */
import { describe, expect, test } from "bun:test";
import { createLog } from "../../src/core/log.ts";
import { openRedis } from "../../src/core/redis/client.ts";
import { warnOfEviction } from "../../src/core/redis/diagnose.ts";
import { redisScript } from "../../src/core/redis/scripts.ts";
import { RedisMinuteTotals } from "../../src/email/ledger/redis.ts";
import { openRedisRecentMails } from "../../src/email/recent-mails/redis.ts";
import { eventually } from "../../support/eventually.ts";
import { hasRedisServer, openOwnRedis } from "../../support/own-redis.ts";
import { openScriptedRedis } from "../support/scripted-redis.ts";

interface Place {
  readonly host: string;
  readonly port: number;
}

async function openClient(
  place: Place,
  more: Partial<Record<"username" | "password", string>> = {},
  db = 0,
) {
  const lines: Record<string, unknown>[] = [];
  const write = (line: string) => lines.push(JSON.parse(line));
  const log = createLog({ service: "test", level: "debug", write });
  const { host, port } = place;
  const login = { username: undefined, password: undefined, ...more };
  const client = await openRedis({ connection: { host, port, ...login, db, tls: false }, log });
  return { client, log, lines };
}

const failure = (work: Promise<unknown>) =>
  work.then(
    () => "it succeeded",
    (error: unknown) => String(error),
  );

const ask = (port: number, ...command: readonly string[]) =>
  Bun.spawnSync(["redis-cli", "-p", String(port), ...command])
    .stdout.toString()
    .trim();

describe.skipIf(!hasRedisServer())("a reply that nobody waits for", () => {
  test("is logged once where totals are added and mails are recorded", async () => {
    await using redis = await openOwnRedis();
    const { client, lines } = await openClient(redis);
    await using _ = client;
    ask(redis.port, "SET", "totals", "no hash");
    const totals = new RedisMinuteTotals(client, "totals");
    const secrets = () => ({ current: "secret", previous: undefined });
    const recent = openRedisRecentMails({ redis: client, secrets });
    recent.add([{ recipient: "ana@example.com", messageId: "first" }]);
    await recent.settled();
    const key = ask(redis.port, "KEYS", "email:latest:*");
    ask(redis.port, "DEL", key);
    ask(redis.port, "LPUSH", key, "no text");
    for (let time = 0; time < 3; time += 1) {
      totals.add(1);
      await totals.flush();
      recent.add([{ recipient: "ana@example.com", messageId: "second" }]);
      await recent.settled();
    }
    const replies = lines.filter(({ msg }) => msg === "Redis refused a call");
    expect(replies.length).toBeGreaterThan(0);
    expect(replies.length).toBeLessThan(3);
    for (const { reply } of replies) expect(reply).toContain("WRONGTYPE");
  });

  test("a Redis without CONFIG still gets the warning about eviction", async () => {
    const args = ["--rename-command", "CONFIG", "", "--maxmemory-policy", "allkeys-lru"];
    await using redis = await openOwnRedis({ args });
    const { client, log, lines } = await openClient(redis);
    await using _ = client;
    await warnOfEviction(client, log);
    expect(lines).toMatchObject([
      { msg: "Redis may evict delivery records", policy: "allkeys-lru" },
    ]);
  });
});

describe("a reply that quotes what it was given", () => {
  test.skipIf(!hasRedisServer())("is shown without it: a code", async () => {
    const hidden = ["--rename-command", "EVALSHA", "", "--rename-command", "EVAL", ""];
    await using redis = await openOwnRedis({ args: hidden });
    const { client, lines } = await openClient(redis);
    await using _ = client;
    const error = await failure(client.script(redisScript("return 1"), ["key"], ["123456"]));
    expect(error).toContain("unknown command");
    for (const said of [error, JSON.stringify(lines)]) expect(said).not.toContain("123456");
  });

  test("is printed without it: a password", async () => {
    await using server = openScriptedRedis((command) =>
      command === "AUTH"
        ? "-ERR unknown command 'AUTH', with args beginning with: 'hunter2' "
        : ":0",
    );
    const { client, lines } = await openClient(server, { password: "hunter2" });
    await using _ = client;
    await eventually("it is known", () => client.refusal);
    expect(client.refusal).toContain("unknown command 'AUTH'");
    const error = await failure(client.ping({ deadlineMs: 500 }));
    for (const said of [client.refusal, error, JSON.stringify(lines)]) {
      expect(said).not.toContain("hunter2");
    }
  });
});

describe.skipIf(!hasRedisServer())("a database other than 0", () => {
  const write = redisScript<number>("return redis.call('INCR', KEYS[1])");

  test("that this user may not select never becomes database 0", async () => {
    const acl = ["--user", "limited", "on", ">secret", "~*", "+@all", "-select"];
    await using redis = await openOwnRedis({ args: acl });
    const login = { username: "limited", password: "secret" };
    const { client, lines } = await openClient(redis, login, 3);
    await using _ = client;
    expect(client.connection).toBe("disconnected");
    expect(client.refusal).toContain("NOPERM");
    await eventually("it was refused three times", async () => {
      expect(await failure(client.script(write, ["n"], []))).toContain("NOPERM");
      const stats = ask(redis.port, "INFO", "commandstats");
      return Number(/cmdstat_select:.*rejected_calls=(\d+)/.exec(stats)?.[1] ?? 0) >= 3;
    });
    expect(ask(redis.port, "DBSIZE")).toBe("0");
    expect(lines.filter(({ msg }) => msg === "Redis unavailable")).toHaveLength(1);
  });

  test("that is missing after a restart stays unused, also by calls in flight, until it is back", async () => {
    await using server = openScriptedRedis(() => ":1");
    const { client } = await openClient(server, {}, 3);
    await using _ = client;
    expect(await client.script(write, ["n"], [])).toBe(1);
    let refused = 0;
    server.select(() => {
      refused += 1;
      return "-ERR DB index is out of range";
    });
    server.answer(() => ""); // a call stays in flight
    const inFlight = failure(client.script(write, ["n"], []));
    await eventually("it was sent", () => server.commands.at(-1) === "EVALSHA");
    server.answer(() => ":1");
    const before = server.commands.length;
    server.cut();
    await eventually("it came again", () => refused >= 3);
    const after = server.commands.slice(before);
    expect(after.filter((command) => /EVAL|SETRANGE/.test(command))).toEqual([]);
    expect(client.refusal).toContain("no database 3");
    server.select(() => "+OK");
    await eventually("usable", () => client.connection === "connected");
    await inFlight;
    expect(await client.script(write, ["n"], [])).toBe(1);
  });
});
