import { expect, test } from "bun:test";
import type { ConfigProblem } from "../../src/core/config.ts";
import { redisFields, resolveRedis } from "../../src/core/redis/config.ts";
import { parseConfig } from "../../support/settings.ts";

function resolve(environment: Record<string, string>) {
  const { redis } = parseConfig({ redis: redisFields }, environment);
  const problems: ConfigProblem[] = [];
  const connection = resolveRedis(redis, problems);
  return { connection, names: problems.map(({ name }) => name), problems };
}

const plain = { username: undefined, password: undefined, db: 0, tls: false };

test("nothing set means the embedded engine", () => {
  expect(resolve({})).toMatchObject({ connection: undefined, names: [] });
  expect(resolve({ REDIS_ADDR: "", REDIS_DB: "0" })).toMatchObject({ connection: undefined });
});

test("a URL has it all; rediss is TLS", () => {
  const url = "rediss://us%40er:p%2Fw@cache.example.com:6380/3";
  expect(resolve({ REDIS_URL: url }).connection).toEqual({
    host: "cache.example.com",
    port: 6380,
    username: "us@er",
    password: "p/w",
    db: 3,
    tls: true,
  });
  expect(resolve({ REDIS_URL: "redis://h" }).connection).toEqual({
    ...plain,
    host: "h",
    port: 6379,
  });
  const six = resolve({ REDIS_URL: "redis://[::1]:7000/" }).connection;
  expect(six).toEqual({ ...plain, host: "::1", port: 7000 });
});

test("address, password and database make the same connection", () => {
  const parts = { REDIS_ADDR: "h:6380", REDIS_PASSWORD: "p", REDIS_DB: "2" };
  const connection = { ...plain, host: "h", port: 6380, password: "p", db: 2 };
  expect(resolve(parts)).toMatchObject({ connection, names: [] });
  expect(resolve({ REDIS_ADDR: "[::1]" }).connection).toEqual({
    ...plain,
    host: "::1",
    port: 6379,
  });
});

test("what does not fit together is a problem, and shows no password", () => {
  expect(resolve({ REDIS_URL: "redis://h", REDIS_ADDR: "h:1" }).names).toEqual(["REDIS_URL"]);
  const both = resolve({ REDIS_URL: "redis://:secret@h", REDIS_PASSWORD: "secret", REDIS_DB: "1" });
  expect(both.names).toEqual(["REDIS_PASSWORD", "REDIS_DB"]);
  expect(resolve({ REDIS_PASSWORD: "secret" }).names).toEqual(["REDIS_PASSWORD"]);
  for (const url of ["redis://:secret@h/not-a-number", "redis://:se%cret@h", "redis:///0"]) {
    const broken = resolve({ REDIS_URL: url });
    expect(broken).toMatchObject({ connection: undefined, names: ["REDIS_URL"] });
    expect(JSON.stringify(broken.problems)).not.toContain("secret");
  }
});

test("an invalid address is told what is allowed", () => {
  for (const address of ["h:0", "h:65536", "h:x", "redis://h:1", "a b", ":6379"]) {
    expect(() => resolve({ REDIS_ADDR: address })).toThrow("host:port, such as localhost:6379");
  }
});

test("an own authority needs TLS and a file with a certificate", () => {
  const url = "rediss://h";
  expect(resolve({ REDIS_URL: "redis://h", REDIS_CA_FILE: "/ca.pem" }).names).toEqual([
    "REDIS_CA_FILE",
  ]);
  expect(resolve({ REDIS_ADDR: "h", REDIS_CA_FILE: "/ca.pem" }).names).toEqual(["REDIS_CA_FILE"]);
  const nowhere = resolve({ REDIS_URL: url, REDIS_CA_FILE: "/nowhere/ca.pem" });
  expect(nowhere.problems[0]?.problem).toContain("cannot be read: /nowhere/ca.pem");
});

test.each([
  ["rediss://default:pw@h.example.com:25061", { tls: true, username: "default", port: 25061 }],
  ["redis://:p%40ss@[::1]:6380/2?family=0&protocol=3", { host: "::1", password: "p@ss", db: 2 }],
  ["rediss://default:pw@h?ssl_cert_reqs=required", { host: "h", port: 6379 }],
  ["redis://:p,w@h/1", { host: "h", password: "p,w", db: 1 }],
] as const)("%s is taken", (url, expected) => {
  const { connection, problems } = resolve({ REDIS_URL: url });
  expect(problems).toEqual([]);
  expect(connection).toMatchObject(expected);
});

test.each([
  ["unix:///tmp/redis.sock", "names a Unix socket"],
  ["redis+unix:///tmp/redis.sock", "names a Unix socket"],
  ["redis-sentinel://h:26379/mymaster", "names a Sentinel"],
  ["redis://a:1,b:2/0", "names several hosts"],
] as const)("%s is refused by name", (url, expected) => {
  expect(() => resolve({ REDIS_URL: url })).toThrow(expected);
});

test.each([
  ["redis://h?db=3", "has db=…"],
  ["redis://h?tls=true", "begins with rediss://"],
] as const)("%s is refused by its parameter", (url, expected) => {
  expect(
    resolve({ REDIS_URL: url })
      .problems.map(({ problem }) => problem)
      .join(),
  ).toContain(expected);
});
