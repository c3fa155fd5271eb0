import { describe, expect, test } from "bun:test";
import { codePolicyDefault } from "../../src/auth/codes/code-policy.ts";
import { openRedisCodeStore } from "../../src/auth/codes/redis.ts";
import { findEngine } from "../../support/engines.ts";
import { codeIssue, codeTry } from "../support/code-requests.ts";
import { openTestRedis } from "../support/redis-prefix.ts";

const url = findEngine("redis") ?? "";
const policy = codePolicyDefault;

describe.skipIf(url === "")("codes in Redis", () => {
  test("one key per address, in one hash slot, without the address, forgotten by itself", async () => {
    await using opened = await openTestRedis(url);
    const { redis, keyPrefix } = opened;
    const store = openRedisCodeStore(redis, { policy, keyPrefix });
    await store.issue(codeIssue("ana@example.org", "m1", { code: "111111" }));
    await store.verify(codeTry("ana@example.org", "999999"));
    const keys = await opened.keys();
    expect(keys).toHaveLength(1);
    const key = keys[0] ?? "";
    expect(key).toMatch(/auth:codes:\{[0-9a-f]{64}\}$/);
    const [value, ttlMs] = await redis.run((client) =>
      Promise.all([client.get(key), client.pttl(key)]),
    );
    expect(value).not.toContain("ana");
    expect(value).not.toContain("111111");
    expect(ttlMs).toBeWithin(3_500_000, 3_600_001);
  });

  test("the time is the server's own", async () => {
    await using opened = await openTestRedis(url);
    const store = openRedisCodeStore(opened.redis, { policy, keyPrefix: opened.keyPrefix });
    const outcome = await store.issue(codeIssue("a@x.org", "m1", { code: "111111" }));
    const [seconds] = await opened.redis.run((client) => client.time());
    const timestamp = outcome.kind === "issued" ? outcome.code.timestamp : 0;
    expect(Number.isInteger(timestamp)).toBe(true);
    expect(Math.abs(timestamp - Number(seconds) * 1000)).toBeLessThan(2_000);
    expect((await store.verify(codeTry("a@x.org", "111111"))).kind).toBe("verified");
  });
});
