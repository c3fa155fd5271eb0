/** The calls of one turn go to Redis as one script: each is answered, or fails, on its own. */

import { describe, expect, test } from "bun:test";
import { subjectOf } from "../../src/auth/auth-deps.ts";
import { openRedisCodeStore } from "../../src/auth/codes/redis.ts";
import type { Limits, RateLimit } from "../../src/auth/limits/limits.ts";
import { openRedisLimits } from "../../src/auth/limits/redis.ts";
import { openRedisSessionStore } from "../../src/auth/sessions/redis.ts";
import type { RedisClient } from "../../src/core/redis/client.ts";
import { findEngine } from "../../support/engines.ts";
import { openTestRedis } from "../../support/own-redis.ts";
import { codePolicyDefault, sessionPolicyDefault } from "../../support/settings.ts";
import { codeIssue } from "../support/code-requests.ts";

const url = findEngine("redis") ?? "";

describe.skipIf(url === "")("calls of one turn", () => {
  test("takes of one turn from a shared budget give exactly its quota, and name what is exhausted", async () => {
    await using opened = await openTestRedis(url);
    const limits = openRedisLimits(opened.redis, opened);
    const outcomes = await Promise.all(
      ["ana", "ben", "cem", "dan"].map((who) =>
        take(limits, [budget("one", who, 1), budget("all", "all", 3)]),
      ),
    );
    expect(outcomes).toEqual(["taken", "taken", "taken", "all"]);
  });

  test("takes of one turn may name different numbers of budgets", async () => {
    await using opened = await openTestRedis(url);
    const limits = openRedisLimits(opened.redis, opened);
    const [ana, ben] = [budget("one", "ana", 1), budget("one", "ben", 1)];
    const asked = [[ana], [ben, ana], [ben], [ben]].map((budgets) => take(limits, budgets));
    expect(await Promise.all(asked)).toEqual(["taken", "one", "taken", "one"]);
  });

  test("takes of one turn share a budget under quotas and windows that differ", async () => {
    await using opened = await openTestRedis(url);
    const limits = openRedisLimits(opened.redis, opened);
    const [few, many] = [budget("one", "ana", 2), budget("one", "ana", 9)];
    const longer = { ...many, windowMs: 600_000 };
    const asked = [many, longer, few, many, longer].map((each) => take(limits, [each]));
    expect(await Promise.all(asked)).toEqual(["taken", "taken", "one", "taken", "taken"]);
    const [key = ""] = await opened.keys();
    const [uses, ttlMs] = await opened.redis.run((client) =>
      Promise.all([client.zcard(key), client.pttl(key)]),
    );
    expect(uses).toBe(4);
    expect(ttlMs).toBeWithin(500_000, 600_001);
  });

  test("a take from a broken key fails alone", async () => {
    await using opened = await openTestRedis(url);
    const limits = openRedisLimits(opened.redis, opened);
    await take(limits, [budget("one", "ana", 9)]);
    await breakKeys(opened.redis, await opened.keys());
    const outcomes = await Promise.allSettled(
      ["ben", "ana", "cem"].map((who) => take(limits, [budget("one", who, 9)])),
    );
    expect(outcomes.map(({ status }) => status)).toEqual(["fulfilled", "rejected", "fulfilled"]);
  });

  test("a session whose user's key is broken fails alone, the others are their own", async () => {
    await using opened = await openTestRedis(url);
    const policy = sessionPolicyDefault;
    const store = openRedisSessionStore(opened.redis, { policy, keyPrefix: opened.keyPrefix });
    const [ana, ben, cem] = await Promise.all(
      ["ana", "ben", "cem"].map((userId) => store.create({ userId, device: "a browser" })),
    );
    await breakKeys(opened.redis, [`${opened.keyPrefix}auth:user-sessions:{ben}`]);
    const found = await Promise.allSettled(
      [ana, ben, cem].map((created) => store.find(created?.token ?? "")),
    );
    const users = found.map((one) => (one.status === "fulfilled" ? one.value?.userId : one.status));
    expect(users).toEqual(["ana", "rejected", "cem"]);
  });

  test("a code whose address' state is unreadable fails alone", async () => {
    await using opened = await openTestRedis(url);
    const store = openRedisCodeStore(opened.redis, { ...opened, policy: codePolicyDefault });
    const emails = ["ana@x.org", "ben@x.org", "cem@x.org"] as const;
    const key = `${opened.keyPrefix}auth:codes:{${subjectOf(emails[1])}}`;
    await opened.redis.run((client) => client.set(key, "no JSON"));
    const issued = await Promise.allSettled(
      emails.map((email) => store.issue(codeIssue(email, email, { code: "111111" }))),
    );
    const ids = issued.map((one) =>
      one.status === "fulfilled" && one.value.kind === "issued" ? one.value.code.messageId : "none",
    );
    expect(ids).toEqual(["ana@x.org", "none", "cem@x.org"]);
  });
});

function budget(scope: string, subject: string, quota: number): RateLimit {
  return { scope, subject, quota, windowMs: 60_000 };
}

/** "taken", or the scope that is exhausted. */
async function take(limits: Limits, budgets: readonly RateLimit[]): Promise<string> {
  const outcome = await limits.take({ use: crypto.randomUUID(), limits: budgets });
  return outcome.kind === "taken" ? "taken" : outcome.limit.scope;
}

/** Makes them of a type that no script here reads. */
async function breakKeys(redis: RedisClient, keys: readonly string[]): Promise<void> {
  for (const key of keys) {
    await redis.run((client) => client.multi().del(key).lpush(key, "broken").exec());
  }
}
