import { expect, test } from "bun:test";
import type { ConfigProblem } from "../../src/core/config.ts";
import { parseConfig } from "../../src/core/config.ts";
import { redisFields, resolveRedis } from "../../src/core/redis/config.ts";

function resolve(REDIS_URL: string) {
  const problems: ConfigProblem[] = [];
  const { redis } = parseConfig({ redis: redisFields }, { REDIS_URL });
  return { connection: resolveRedis(redis, problems), problems };
}

test.each([
  ["rediss://default:pw@h.example.com:25061", { tls: true, username: "default", port: 25061 }],
  ["redis://:p%40ss@[::1]:6380/2?family=0&protocol=3", { host: "::1", password: "p@ss", db: 2 }],
  ["rediss://default:pw@h?ssl_cert_reqs=required", { host: "h", port: 6379 }],
] as const)("%s is taken", (url, expected) => {
  const { connection, problems } = resolve(url);
  expect(problems).toEqual([]);
  expect(connection).toMatchObject(expected);
});

test.each([
  ["unix:///tmp/redis.sock", "names a Unix socket"],
  ["redis+unix:///tmp/redis.sock", "names a Unix socket"],
  ["redis-sentinel://h:26379/mymaster", "names a Sentinel"],
  ["redis://a:1,b:2/0", "names several hosts"],
] as const)("%s is refused by name", (url, expected) => {
  expect(() => resolve(url)).toThrow(expected);
});

test.each([
  ["redis://h?db=3", "has db=…"],
  ["redis://h?tls=true", "begins with rediss://"],
] as const)("%s is refused by its parameter", (url, expected) => {
  expect(
    resolve(url)
      .problems.map(({ problem }) => problem)
      .join(),
  ).toContain(expected);
});
