import { describe, expect, test } from "bun:test";
import { createAuthKeys } from "../../src/auth/auth-deps.ts";
import { openRedisCodeStore } from "../../src/auth/codes/redis.ts";
import { openRedisLimits } from "../../src/auth/limits/redis.ts";
import { requestCode } from "../../src/auth/request-code.ts";
import type { RedisClient } from "../../src/core/redis/client.ts";
import type { RedisScript } from "../../src/core/redis/scripts.ts";
import { findEngine } from "../../support/engines.ts";
import { openTestRedis } from "../../support/own-redis.ts";
import { limitPolicyDefault, codePolicyDefault as policy } from "../../support/settings.ts";
import { codeIssue, codeTry } from "../support/code-requests.ts";
import { FakeClock } from "../support/fake-clock.ts";

const url = findEngine("redis") ?? "";
const email = "a@x.org";

describe.skipIf(url === "")("a request for a code in Redis", () => {
  test("makes two round trips, from a known device too, and only from a forgotten one more", async () => {
    await using opened = await openTestRedis(url);
    const { redis, keyPrefix } = opened;
    const clock = new FakeClock();
    let turns = 0;
    let isOpen = false;
    /** Calls of the same turn of the event loop are one write. */
    const counting: RedisClient = {
      ...redis,
      script: <Reply>(
        script: RedisScript<Reply>,
        ...call: [readonly string[], readonly (string | number)[]]
      ) => {
        if (!isOpen) {
          turns += 1;
          isOpen = true;
          setImmediate(() => {
            isOpen = false;
          });
        }
        return redis.script(script, ...call);
      },
    };
    const deps = {
      codes: openRedisCodeStore(counting, { policy, keyPrefix, clock }),
      limits: openRedisLimits(counting, { keyPrefix, clock }),
      limitPolicy: limitPolicyDefault,
      keys: createAuthKeys("a secret of the tests, 32 or more", undefined),
      clock,
      publisher: {
        publish: async () => ({ kind: "queued" }) as const,
        status: async () => "unknown" as const,
      },
    };
    await deps.codes.issue(codeIssue(email, "m1", { code: "111111" }));
    await deps.codes.verify(codeTry(email, "111111", { remember: "known" }));
    const tripsOf = async (device: string | undefined) => {
      await clock.advance(policy.repeatWindowMs);
      turns = 0;
      const scope = { email, purpose: "sign_in" } as const;
      const request = { ...scope, client: "192.0.2.1", locale: undefined, device };
      const outcome = await requestCode(deps, request);
      return `${outcome.kind}: ${turns}`;
    };
    expect(await tripsOf(undefined)).toBe("sent: 2");
    expect(await tripsOf("known")).toBe("sent: 2");
    expect(await tripsOf("forgotten")).toBe("sent: 4");
  });
});
