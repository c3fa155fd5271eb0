import { describe, expect, test } from "bun:test";
import { readFileSync, statSync, writeFileSync } from "node:fs";
import { join } from "node:path";
import { findEngine } from "../../support/engines.ts";
import { openTestPostgres } from "../../support/postgres-schema.ts";
import { temporaryDirectory } from "../../support/temporary-directory.ts";
import { runInstant } from "../support/run-instant.ts";

const program = findEngine("instant");
const postgres = findEngine("postgres");
const engines = ["SQLite", ...(postgres === undefined ? [] : ["Postgres"])] as const;

async function openTool(engine: string) {
  const stack = new AsyncDisposableStack();
  const { path: directory } = stack.use(temporaryDirectory());
  const environment: Record<string, string> = {};
  if (engine === "Postgres" && postgres !== undefined) {
    const { schema } = stack.use(await openTestPostgres(postgres));
    Object.assign(environment, { DATABASE_URL: postgres, DB_SCHEMA: schema });
  }
  const run = async (...parameters: string[]) => {
    const finished = await runInstant(["suppressions", ...parameters], { directory, environment });
    expect({ parameters, ...finished }).toMatchObject({ exitCode: 0, stderr: "" });
    return finished.stdout;
  };
  const fail = (...parameters: string[]) =>
    runInstant(["suppressions", ...parameters], { directory, environment });
  return {
    directory,
    run,
    fail,
    json: async (...parameters: string[]): Promise<unknown> =>
      JSON.parse(await run(...parameters, "--json")),
    [Symbol.asyncDispose]: () => stack.disposeAsync(),
  };
}

describe.skipIf(program === undefined).each([...engines])(
  "instant suppressions on %s",
  (engine) => {
    test("adds, lists, finds and removes addresses", async () => {
      await using tool = await openTool(engine);
      expect(await tool.run("list")).toBe("No suppressed addresses\n");
      const added = ["add", "Ana@Example.com", "ben@example.com", "--note", "asked by phone"];
      expect(await tool.json(...added, "--for", "720h")).toEqual({ added: 2, unchanged: 0 });
      expect(await tool.json("add", "ana@example.com")).toEqual({ added: 1, unchanged: 0 });
      expect(await tool.run("add", "ana@example.com")).toContain("1 unchanged");
      const listed = await tool.json("list", "--address", "ben@example.com");
      expect(listed).toMatchObject({
        total: 1,
        suppressions: [{ address: "ben@example.com", reason: "manual", note: "asked by phone" }],
      });
      expect(await tool.run("list")).toMatch(/^ana@example.com {2}manual {2}until removed\nben@/);
      const removed = await tool.json("remove", "ben@example.com", "nobody@example.com");
      expect(removed).toEqual({ removed: 1, unknown: 1 });
      expect(await tool.json("list", "--reason", "manual", "--limit", "1")).toMatchObject({
        total: 1,
      });
    });

    test("writes all to a file for its owner alone, which another one reads", async () => {
      await using tool = await openTool(engine);
      const addresses = Array.from({ length: 1_500 }, (_, n) => `user${n}@example.com`);
      writeFileSync(join(tool.directory, "list.csv"), addresses.join("\n"));
      expect(await tool.json("import", "list.csv")).toEqual({
        rows: 1_500,
        added: 1_500,
        unchanged: 0,
      });
      expect(await tool.json("export", "out.csv")).toEqual({ written: 1_500 });
      const path = join(tool.directory, "out.csv");
      expect(statSync(path).mode & 0o777).toBe(0o600);
      const text = readFileSync(path, "utf8");
      expect(text.split("\n")[0]).toBe("address,reason,note,created_at,expires_at,key");
      expect(await tool.run("export")).toBe(text);
      expect(await tool.json("import", "out.csv")).toEqual({
        rows: 1_500,
        added: 0,
        unchanged: 1_500,
      });
    });

    test("takes nothing of a file with a bad line, and names it", async () => {
      await using tool = await openTool(engine);
      writeFileSync(join(tool.directory, "bad.csv"), "address\nana@example.com\nnobody\n");
      const { exitCode, stderr } = await tool.fail("import", "bad.csv");
      expect(exitCode).toBe(2);
      expect(stderr).toContain("line 3: address must be an e-mail address");
      expect(await tool.json("list")).toEqual({ total: 0, suppressions: [] });
    });
  },
);

describe.skipIf(program === undefined)("instant suppressions", () => {
  test.each([
    "add nobody",
    "add ana@example.com --for soon",
    "add ana@example.com --reason whim",
    "list --limit 0",
    "import missing.csv",
    "remove",
  ])("%s is a usage error", async (line) => {
    await using tool = await openTool("SQLite");
    expect((await tool.fail(...line.split(" "))).exitCode).toBe(2);
  });

  test("says that Postgres is away, with exit code 1", async () => {
    using directory = temporaryDirectory();
    const environment = { DATABASE_URL: "postgres://nobody@127.0.0.1:1/none" };
    const options = { directory: directory.path, environment };
    const { exitCode, stderr } = await runInstant(["suppressions", "list"], options);
    expect([exitCode, stderr]).toEqual([1, expect.stringContaining("Postgres did not answer")]);
  });
});
