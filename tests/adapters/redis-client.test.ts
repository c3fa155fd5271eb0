import { afterAll, beforeAll, describe, expect, test } from "bun:test";
import { writeFileSync } from "node:fs";
import { join } from "node:path";
import { createLog, silentLog } from "../../src/core/log.ts";
import { openRedis } from "../../src/core/redis/client.ts";
import { redisScript } from "../../src/core/redis/scripts.ts";
import { choosePort } from "../../support/engines/server.ts";
import { eventually } from "../../support/eventually.ts";
import type { OwnRedis } from "../../support/own-redis.ts";
import { hasRedisServer, openOwnRedis } from "../../support/own-redis.ts";
import { testCertificates } from "../../support/smtp-sink/listener.ts";
import { temporaryDirectory } from "../../support/temporary-directory.ts";

const increment = redisScript<number>('return redis.call("INCRBY", KEYS[1], ARGV[1])');
const unavailable = { code: "redis_unavailable", retryable: true };

/** A client that keeps its log lines. */
async function openClient(own: OwnRedis, password?: string) {
  const lines: { level: string; msg: string; reason?: string }[] = [];
  const log = createLog({
    service: "test",
    level: "debug",
    write: (line) => void lines.push(JSON.parse(line)),
  });
  const { host, port } = own;
  const connection = { host, port, username: undefined, password, db: 0, tls: false };
  const client = await openRedis({ connection, log });
  return { client, lines };
}

async function failsWithin<T>(work: Promise<T>, withinMs: number): Promise<void> {
  const startedAt = performance.now();
  const error: unknown = await work.then(
    () => undefined,
    (thrown: unknown) => thrown,
  );
  expect(error).toMatchObject(unavailable);
  expect(performance.now() - startedAt).toBeLessThan(withinMs);
}

describe.if(hasRedisServer())("RedisClient", () => {
  test("runs commands and scripts, and has its address", async () => {
    await using own = await openOwnRedis();
    const { client } = await openClient(own);
    await using _ = client;
    expect(client.connection).toBe("connected");
    expect(client.address).toBe(`127.0.0.1:${own.port}/0`);
    await client.run((redis) => redis.set("n", 5));
    expect(await client.script(increment, ["n"], [2])).toBe(7);
    await client.ping({ deadlineMs: 1000 });
  });

  test("a script survives SCRIPT FLUSH and a restart of the server", async () => {
    await using own = await openOwnRedis();
    const { client } = await openClient(own);
    await using _ = client;
    expect(await client.script(increment, ["n"], [1])).toBe(1);
    await client.run((redis) => redis.script("FLUSH"));
    const many = Array.from({ length: 50 }, () => client.script(increment, ["n"], [1]));
    expect(Math.max(...(await Promise.all(many)))).toBe(51);
    await own.stop();
    await own.start();
    await eventually("connected again", () => client.connection === "connected");
    expect(await client.script(increment, ["n"], [1])).toBe(52);
  });

  test("opens while Redis is unavailable, fails at once, and connects when it is back", async () => {
    await using own = await openOwnRedis();
    await own.stop();
    const { client, lines } = await openClient(own);
    await using _ = client;
    expect(client.connection).toBe("disconnected");
    await failsWithin(
      client.run((redis) => redis.get("n")),
      100,
    );
    await failsWithin(client.ping({ deadlineMs: 2000 }), 100);
    const why = await client.run((redis) => redis.get("n")).catch(String);
    expect(why).toContain(`nothing listens on 127.0.0.1:${own.port}: start Redis there`);
    await own.start();
    await eventually("connected", () => client.connection === "connected", 3000);
    expect(await client.run((redis) => redis.get("n"))).toBeNull();
    expect(lines.map(({ level, msg }) => [level, msg])).toEqual([
      ["warn", "Redis unavailable"],
      ["info", "Redis available again"],
    ]);
  });

  test("a killed server: calls in flight and new ones fail in time, one line is logged", async () => {
    await using own = await openOwnRedis();
    const { client, lines } = await openClient(own);
    await using _ = client;
    own.freeze();
    const inFlight = failsWithin(
      client.run((redis) => redis.get("n")),
      2500,
    );
    await own.kill();
    await inFlight;
    await failsWithin(
      client.run((redis) => redis.get("n")),
      100,
    );
    expect(client.connection).toBe("disconnected");
    await own.start();
    await eventually("connected", () => client.connection === "connected", 3000);
    expect(lines.map(({ msg }) => msg)).toEqual(["Redis unavailable", "Redis available again"]);
  });

  test("a frozen server: every call fails within 2.5 s, later ones at once; then it is back", async () => {
    await using own = await openOwnRedis();
    const { client } = await openClient(own);
    await using _ = client;
    own.freeze();
    const get = () => client.run((redis) => redis.get("n"));
    const early = failsWithin(get(), 2500);
    await Bun.sleep(300); // the next one waits behind the pipeline that is on the wire
    await Promise.all([early, failsWithin(get(), 2500)]);
    await eventually("disconnected", () => client.connection === "disconnected", 500);
    await failsWithin(
      client.run((redis) => redis.get("n")),
      100,
    );
    own.thaw();
    await eventually("connected", () => client.connection === "connected", 4000);
    expect(await client.run((redis) => redis.get("n"))).toBeNull();
  });

  test("a wrong password is logged as the reason, without any password", async () => {
    await using own = await openOwnRedis({ args: ["--requirepass", "right-secret"] });
    const { client, lines } = await openClient(own, "wrong-secret");
    await using _ = client;
    const error = await client.run((redis) => redis.get("n")).catch((thrown: unknown) => thrown);
    expect(error).toMatchObject(unavailable);
    expect(lines).toMatchObject([{ msg: "Redis unavailable" }]);
    expect(lines[0]?.reason).toContain("refused the password: check REDIS_PASSWORD");
    expect(JSON.stringify(lines) + Bun.inspect(error)).not.toContain("secret");
    const { client: known } = await openClient(own, "right-secret");
    expect(known.connection).toBe("connected");
    await known.close();
  });

  test("a failure shows no arguments, and a programmer's error stays as it is", async () => {
    await using own = await openOwnRedis();
    const { client } = await openClient(own);
    await using _ = client;
    await client.run((redis) => redis.set("text", "x"));
    const error = await client.run((redis) => redis.hset("text", "field", "private")).catch(String);
    expect(error).toContain("WRONGTYPE");
    const thrown = await client
      .run((redis) => redis.hset("text", "field", "private"))
      .catch((failure: unknown) => failure);
    expect(Bun.inspect(thrown)).not.toContain("private");
    const bug = client.run(async () => {
      throw new TypeError("not a function");
    });
    await expect(bug).rejects.toThrow(TypeError);
  });

  test("closing waits for calls in flight and ends the connection, once", async () => {
    await using own = await openOwnRedis();
    const { client } = await openClient(own);
    const { client: other } = await openClient(own);
    const answers = Array.from({ length: 100 }, () => client.script(increment, ["n"], [1]));
    const closing = client.close();
    expect(client.close()).toBe(closing);
    await closing;
    expect((await Promise.all(answers)).toSorted((a, b) => a - b).at(-1)).toBe(100);
    await failsWithin(
      client.run((redis) => redis.get("n")),
      50,
    );
    const clients = await other.run((redis) => redis.client("LIST"));
    expect(String(clients).trim().split("\n")).toHaveLength(1);
    await other.close();
  });

  test("closing while Redis is frozen ends within 3 s", async () => {
    await using own = await openOwnRedis();
    const { client } = await openClient(own);
    own.freeze();
    const unanswered = client.run((redis) => redis.get("n")).catch(String);
    const startedAt = performance.now();
    await client.close();
    expect(performance.now() - startedAt).toBeLessThan(3000);
    expect(await unanswered).toContain("no answer in time");
  });
});

describe.skipIf(!hasRedisServer())("a Redis with a certificate of a private authority", () => {
  const { authority, good } = testCertificates();
  const directory = temporaryDirectory();
  let redis: OwnRedis | undefined;
  let port = 0;

  beforeAll(async () => {
    const [cert, key] = [join(directory.path, "cert.pem"), join(directory.path, "key.pem")];
    writeFileSync(cert, good.cert);
    writeFileSync(key, good.key);
    port = await choosePort(0);
    const tls = ["--tls-cert-file", cert, "--tls-key-file", key, "--tls-auth-clients", "no"];
    redis = await openOwnRedis({ args: ["--tls-port", String(port), ...tls] });
  });

  afterAll(async () => {
    await redis?.[Symbol.asyncDispose]();
    directory[Symbol.dispose]();
  });

  async function ask(ca: string | undefined): Promise<string> {
    const login = { username: undefined, password: undefined, db: 0 };
    const connection = { host: "127.0.0.1", port, ...login, tls: true, ca };
    await using client = await openRedis({ connection, log: silentLog });
    return client.connection;
  }

  test("is trusted when its authority is given", async () => {
    expect(await ask(authority)).toBe("connected");
  });

  test("is not trusted without", async () => {
    expect(await ask(undefined)).toBe("disconnected");
  });
});
