import { expect, test } from "bun:test";
import { join } from "node:path";
import { codePolicyDefault } from "../../src/auth/codes/code-policy.ts";
import type { CodeStore } from "../../src/auth/codes/code-store.ts";
import { openRedisCodeStore } from "../../src/auth/codes/redis.ts";
import { openSqliteCodeStore } from "../../src/auth/codes/sqlite.ts";
import { openSqlite } from "../../src/core/sqlite/database.ts";
import { findEngine } from "../../support/engines.ts";
import { temporaryDirectory } from "../../support/temporary-directory.ts";
import { codeIssue, codeTry } from "../support/code-requests.ts";
import { FakeClock } from "../support/fake-clock.ts";
import { openTestRedis } from "../support/redis-prefix.ts";
import { SeededRandom } from "../support/seeded-random.ts";

const url = findEngine("redis") ?? "";

/** The next thing somebody does, the same for both stores. */
function randomStep(random: SeededRandom, step: number): (store: CodeStore) => Promise<unknown> {
  const email = random.pick(["a@x.org", "b@x.org"]) ?? "";
  const purpose = random.pick(["sign_in", "sign_in", "delete_account"] as const) ?? "sign_in";
  const known = `m${random.below(step + 1)}`;
  const code = `00000${random.below(3)}`;
  const kind = random.below(11);
  if (kind === 10) return random.chance(0.5) ? (store) => store.forget(email) : async () => {};
  if (kind < 4) {
    const supersedes = random.chance(0.3) ? { supersedes: known } : {};
    const request = codeIssue(email, `m${step}`, { purpose, code, ...supersedes });
    return (store) => store.issue(request);
  }
  if (kind < 6) return (store) => store.refund({ email, purpose, messageId: known });
  const request = codeTry(email, code, { purpose, consume: random.chance(0.6) });
  return (store) => store.verify(request);
}

test.skipIf(url === "")(
  "both stores answer alike, whatever is asked in whatever order",
  async () => {
    using directory = temporaryDirectory();
    await using database = await openSqlite(join(directory.path, "auth.sqlite"));
    for (let seed = 1; seed <= 20; seed += 1) {
      await using redis = await openTestRedis(url);
      const random = new SeededRandom(seed);
      const clock = new FakeClock(Date.UTC(2026, 0, 1 + seed * 7)); // a week apart: all is forgotten
      const options = { policy: { ...codePolicyDefault, triesMax: 6 }, clock };
      const embedded = await openSqliteCodeStore(database, options);
      const server = openRedisCodeStore(redis.redis, { ...options, keyPrefix: redis.keyPrefix });
      for (let step = 0; step < 120; step += 1) {
        const act = randomStep(random, step);
        const [left, right] = await Promise.all([act(embedded), act(server)]);
        expect({ seed, step, outcome: right }).toEqual({ seed, step, outcome: left });
        await clock.advance(random.pick([0, 0, 0, 0, 1, 1_000, 30_000, 900_000]) ?? 0);
      }
    }
  },
);
