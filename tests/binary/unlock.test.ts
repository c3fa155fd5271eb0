import { describe, expect, test } from "bun:test";
import { join } from "node:path";
import type { CodeStore } from "../../src/auth/codes/code-store.ts";
import { openRedisCodeStore } from "../../src/auth/codes/redis.ts";
import { openSqliteCodeStore } from "../../src/auth/codes/sqlite.ts";
import { openSqlite } from "../../src/core/sqlite/database.ts";
import { findEngine } from "../../support/engines.ts";
import { runInstant } from "../../support/instant-process.ts";
import { openTestRedis } from "../../support/own-redis.ts";
import { codePolicyDefault as policy } from "../../support/settings.ts";
import { temporaryDirectory } from "../../support/temporary-directory.ts";
import { readCodeBlocks } from "../support/code-blocks.ts";
import { codeTry } from "../support/code-requests.ts";

const program = findEngine("instant") ?? "";
const redisUrl = findEngine("redis");

/** The program beside the store that a running service would use. */
async function openTool(engine: string) {
  await using stack = new AsyncDisposableStack();
  const directory = stack.use(temporaryDirectory()).path;
  const environment: Record<string, string> = {};
  const email = `${crypto.randomUUID()}@example.com`; // the command knows no prefix of keys
  let store: CodeStore;
  if (engine === "Redis" && redisUrl !== undefined) {
    Object.assign(environment, { REDIS_URL: redisUrl });
    store = openRedisCodeStore(stack.use(await openTestRedis(redisUrl)).redis, { policy });
    stack.defer(() => store.forget(email));
  } else {
    Object.assign(environment, { DATA_DIR: directory });
    const database = await openSqlite(join(directory, "state.sqlite"));
    stack.defer(() => database.close());
    store = await openSqliteCodeStore(database, { policy });
  }
  const opened = stack.move();
  return {
    email,
    store,
    lock: async () => {
      for (let wrong = 0; wrong < 5; wrong += 1) await store.verify(codeTry(email, "999999"));
      expect((await store.verify(codeTry(email, "999999"))).kind).toBe("locked");
    },
    run: (...parameters: string[]) =>
      runInstant(["unlock", ...parameters], { directory, environment }),
    [Symbol.asyncDispose]: () => opened.disposeAsync(),
  };
}

const engines = redisUrl === undefined ? ["SQLite"] : ["SQLite", "Redis"];

describe.skipIf(program === "").each(engines)("instant unlock on %s", (engine) => {
  test("ends a lock, as docs/security.md shows it, and says until when it was", async () => {
    await using tool = await openTool(engine);
    await tool.lock();
    const [block = ""] = readCodeBlocks("docs/security.md", "bash");
    const words = block.trim().replace("ana@example.com", ` ${tool.email.toUpperCase()}`);
    expect(words).toStartWith("./instant unlock ");
    const { exitCode, stdout, stderr } = await tool.run(...words.split(/ +/).slice(2));
    expect([exitCode, stderr]).toEqual([0, ""]);
    expect(stdout).toMatch(
      /^Unlocked: codes are accepted again \(it was locked until 20\d\d-[^ ]+Z\)\n$/,
    );
    expect(await tool.store.verify(codeTry(tool.email, "999999"))).toEqual({ kind: "wrong" });
    expect((await tool.run(tool.email)).stdout).toStartWith("Not locked; ");
  });

  test("prints its report as JSON, with exit code 0 also for an address that is not locked", async () => {
    await using tool = await openTool(engine);
    const none = await tool.run(tool.email, "--json");
    expect([none.exitCode, JSON.parse(none.stdout)]).toEqual([
      0,
      { unlocked: false, locked_until: null },
    ]);
    await tool.lock();
    const { stdout } = await tool.run(tool.email, "--json");
    expect(stdout).toEndWith("}\n");
    expect(JSON.parse(stdout)).toEqual({
      unlocked: true,
      locked_until: expect.stringMatching(/^20.*Z$/) as unknown as string,
    });
  });
});

describe.skipIf(program === "")("instant unlock", () => {
  test.each([
    [["nobody"], /"nobody" must be/],
    [[], /missing required argument 'address'/],
    [["a@x.org", "b@x.org"], /too many arguments/],
  ])("ends %j with exit code 2 and a hint", async (parameters, words) => {
    using directory = temporaryDirectory();
    const finished = await runInstant(["unlock", ...parameters], { directory: directory.path });
    expect(finished.exitCode).toBe(2);
    expect(finished.stderr).toMatch(words);
  });

  test("says that Redis is unreachable, with exit code 1", async () => {
    using directory = temporaryDirectory();
    const environment = { REDIS_URL: "redis://127.0.0.1:1" };
    const options = { directory: directory.path, environment };
    const { exitCode, stderr } = await runInstant(["unlock", "a@x.org"], options);
    expect(exitCode).toBe(1);
    expect(stderr).toMatch(/^instant: [^\n]*127\.0\.0\.1:1[^\n]*\n$/);
  });
});
