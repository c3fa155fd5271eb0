import { expect, test } from "bun:test";
import { openRedisCodeStore } from "../../src/auth/codes/redis.ts";
import { findEngine } from "../../support/engines.ts";
import { openTestRedis } from "../../support/own-redis.ts";
import { codePolicyDefault } from "../../support/settings.ts";
import { readCodeBlocks } from "../support/code-blocks.ts";
import { codeTry } from "../support/code-requests.ts";

const url = findEngine("redis") ?? "";
const canRun = url !== "" && Bun.which("redis-cli") !== null;

test.skipIf(!canRun)("what docs/security.md says to end a lock ends it", async () => {
  await using opened = await openTestRedis(url);
  const email = `${crypto.randomUUID()}@example.com`; // the command knows no prefix of keys
  const store = openRedisCodeStore(opened.redis, { policy: codePolicyDefault });
  for (let wrong = 0; wrong < 5; wrong += 1) await store.verify(codeTry(email, "999999"));
  expect(await store.verify(codeTry(email, "999999"))).toMatchObject({ kind: "locked" });
  const [block = ""] = readCodeBlocks("docs/security.md", "bash");
  const child = Bun.spawn(["bash", "-ec", block.replace("ana@example.com", email)], {
    env: { PATH: process.env["PATH"] ?? "", REDIS_URL: url },
    stdout: "pipe",
    stderr: "pipe",
  });
  expect((await new Response(child.stdout).text()).trim()).toBe("1"); // one key is gone
  expect(await child.exited).toBe(0);
  expect(await store.verify(codeTry(email, "999999"))).toEqual({ kind: "wrong" });
  await store.forget(email);
});
