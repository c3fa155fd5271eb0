import { describe, expect, test } from "bun:test";
import { join } from "node:path";
import { subjectOf } from "../../src/auth/auth-deps.ts";
import { openRedisCodeStore } from "../../src/auth/codes/redis.ts";
import { openSqliteCodeStore } from "../../src/auth/codes/sqlite.ts";
import type { RedisClient } from "../../src/core/redis/client.ts";
import { openSqlite } from "../../src/core/sqlite/database.ts";
import { findEngine } from "../../support/engines.ts";
import { openTestRedis } from "../../support/own-redis.ts";
import { codePolicyDefault } from "../../support/settings.ts";
import { temporaryDirectory } from "../../support/temporary-directory.ts";
import { testCodeStore } from "../contract/code-store.ts";
import { codeIssue, codeTry } from "../support/code-requests.ts";
import { FakeClock } from "../support/fake-clock.ts";

const url = findEngine("redis") ?? "";
const policy = codePolicyDefault;

testCodeStore("SQLite", async (options) => {
  const directory = temporaryDirectory();
  const database = await openSqlite(join(directory.path, "auth.sqlite"));
  return {
    store: await openSqliteCodeStore(database, options),
    [Symbol.asyncDispose]: async () => {
      await database.close();
      directory[Symbol.dispose]();
    },
  };
});

if (url !== "") {
  testCodeStore("Redis", async (options) => {
    const { redis, keyPrefix, ...opened } = await openTestRedis(url);
    return { ...opened, store: openRedisCodeStore(redis, { ...options, keyPrefix }) };
  });
}

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

  test("of 200 tries at once on 8 connections five are compared, and of 200 right ones one wins", async () => {
    await using opened = await openTestRedis(url);
    await using others = new AsyncDisposableStack();
    const connections = await Promise.all(Array.from({ length: 8 }, () => openTestRedis(url)));
    const stores = connections.map((connection) => {
      const { redis } = others.use(connection);
      return openRedisCodeStore(redis, { policy, keyPrefix: opened.keyPrefix });
    });
    const kindsOf = async (email: string, code: string) => {
      const tries = Array.from({ length: 25 }, () =>
        stores.map((store) => store.prepare(email).verify(codeTry(email, code))),
      );
      const outcomes = await Promise.all(tries.flat());
      return Map.groupBy(outcomes, ({ kind }) => kind);
    };
    for (let round = 0; round < 5; round += 1) {
      const email = `${round}@x.org`;
      await stores[0]?.issue(codeIssue(email, "m1", { code: "111111" }));
      const right = await kindsOf(email, "111111");
      expect(right.get("verified")).toHaveLength(1);
      expect(right.get("used")).toHaveLength(199);
      const wrong = await kindsOf(`other-${email}`, "999999");
      expect(wrong.get("wrong")).toHaveLength(5);
      expect(wrong.get("locked")).toHaveLength(195);
    }
  });

  test("a try makes two round trips, whatever the address has and whatever comes of it", async () => {
    await using opened = await openTestRedis(url);
    const { redis, keyPrefix } = opened;
    const clock = new FakeClock();
    let calls = 0;
    const counting: RedisClient = {
      ...redis,
      script: (...call) => {
        calls += 1;
        return redis.script(...call);
      },
    };
    const store = openRedisCodeStore(counting, { policy, keyPrefix, clock });
    const tryOf = async (email: string, code: string) => {
      calls = 0;
      const { kind } = await store.verify(codeTry(email, code));
      return `${kind}: ${calls}`;
    };
    expect(await tryOf("nobody@x.org", "111111")).toBe("wrong: 2");
    await store.issue(codeIssue("a@x.org", "m1", { code: "111111" }));
    expect(await tryOf("a@x.org", "999999")).toBe("wrong: 2");
    await clock.advance(policy.lifetimeMs);
    expect(await tryOf("a@x.org", "111111")).toBe("wrong: 2"); // expired
    await store.issue(codeIssue("a@x.org", "m2", { code: "111111" }));
    expect(await tryOf("a@x.org", "111111")).toBe("verified: 2");
    expect(await tryOf("a@x.org", "111111")).toBe("used: 2");
    for (let wrong = 0; wrong < policy.attemptsMax; wrong += 1) await tryOf("b@x.org", "999999");
    expect(await tryOf("b@x.org", "999999")).toBe("locked: 2");
  });

  test("a call that loses every race gives up, as if Redis were unavailable", async () => {
    await using opened = await openTestRedis(url);
    let calls = 0;
    const losing: RedisClient = {
      ...opened.redis,
      script: async <Reply>() => {
        calls += 1;
        return [Date.now(), ""] as Reply;
      },
    };
    const store = openRedisCodeStore(losing, { policy, keyPrefix: opened.keyPrefix });
    const tried = store.verify(codeTry("a@x.org", "111111"));
    await expect(tried).rejects.toMatchObject({ code: "redis_unavailable" });
    expect(calls).toBe(251);
  });

  test("what a version with its rules in Lua wrote is understood", async () => {
    await using opened = await openTestRedis(url);
    const { redis, keyPrefix } = opened;
    const clock = new FakeClock();
    const store = openRedisCodeStore(redis, { policy, keyPrefix, clock });
    const { verifier, ...issue } = codeIssue("a@x.org", "m1", { code: "111111" });
    const { purpose, messageId, keyId, data } = issue;
    const now = clock.now();
    const times = { timestamp: now, expiresAt: now + policy.lifetimeMs, chargedAt: 0, repeats: 0 };
    const code = { ...times, purpose, messageId, keyId, data, verifier: verifier() };
    // Lua's JSON does not know an empty list from an empty object.
    const text = JSON.stringify({
      tries: {},
      charges: {},
      codes: [code],
      locks: 0,
      lockedUntil: 0,
    });
    const key = `${keyPrefix}auth:codes:{${subjectOf("a@x.org")}}`;
    await redis.run((client) => client.set(key, text));
    expect(await store.issue(codeIssue("a@x.org", "m2"))).toMatchObject({ kind: "repeated" });
    expect((await store.verify(codeTry("a@x.org", "999999"))).kind).toBe("wrong");
    expect((await store.verify(codeTry("a@x.org", "111111"))).kind).toBe("verified");
  });
});
