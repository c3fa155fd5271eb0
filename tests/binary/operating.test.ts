import { afterAll, beforeAll, describe, expect, test } from "bun:test";
import { existsSync, readdirSync, readFileSync, statSync, writeFileSync } from "node:fs";
import { join } from "node:path";
import { findEngine } from "../../support/engines.ts";
import { eventually } from "../../support/eventually.ts";
import { InstantProcess, runInstant } from "../../support/instant-process.ts";
import { openTestPostgres } from "../../support/postgres-schema.ts";
import { temporaryDirectory } from "../../support/temporary-directory.ts";
import type { DevProcess } from "../support/dev-process.ts";
import { openDevProcess } from "../support/dev-process.ts";

const program = findEngine("instant") ?? "";
const postgres = findEngine("postgres");
const ports = { AUTH_SERVICE_PORT: "0", EMAIL_SERVICE_PORT: "0" };

async function runDoctor(
  parameters: readonly string[],
  environment: Readonly<Record<string, string>>,
) {
  using directory = temporaryDirectory();
  const startedAt = performance.now();
  const options = { directory: directory.path, environment: { ...ports, ...environment } };
  const finished = await runInstant(["doctor", ...parameters], options);
  expect(readdirSync(directory.path)).toEqual([]); // it changes nothing
  return { ...finished, seconds: (performance.now() - startedAt) / 1000 };
}

describe.skipIf(program === "")("instant doctor", () => {
  test("is quick when all is well, prints no colour into a pipe, and leaves no files", async () => {
    const engines = {
      REDIS_URL: findEngine("redis") ?? "",
      DATABASE_URL: postgres ?? "",
    };
    const { exitCode, stdout, stderr, seconds } = await runDoctor([], engines);
    expect(stdout).toContain("✗ 0 ");
    expect({ exitCode, stderr }).toEqual({ exitCode: 0, stderr: "" });
    expect(seconds).toBeLessThan(3);
    expect(stdout).not.toContain("\u001b");
    expect(Math.max(...stdout.split("\n").map((line) => line.length))).toBeLessThanOrEqual(80);
  });

  test("exits with 1 for a fault, and with 2 for a configuration that services refuse", async () => {
    const faulty = await runDoctor(["--json"], { REDIS_ADDR: "127.0.0.1:1" });
    expect(faulty.exitCode).toBe(1);
    expect(JSON.parse(faulty.stdout)).toMatchObject({ ok: false, counts: { fault: 1 } });
    const refused = await runDoctor(["serve-email"], { APP_ENV: "production" });
    expect(refused.exitCode).toBe(2);
    expect(refused.stdout).toContain("✗ EMAIL_SECRET must be set because APP_ENV is production");
    expect(refused.stdout).not.toContain("✗ AUTH_SECRET");
    const mistyped = await runDoctor(["serve-mail"], {});
    expect(mistyped.exitCode).toBe(2);
    expect(mistyped.stderr).toContain("serve-auth or serve-email");
  });

  test("prints colour on a terminal, unless NO_COLOR is set", () => {
    const script = Bun.which("script"); // gives the program a terminal
    if (script === null || !existsSync("/dev/ptmx")) return;
    using directory = temporaryDirectory();
    const onTerminal = (environment: Readonly<Record<string, string>>) =>
      Bun.spawnSync([script, "-qec", `${program} doctor`, "/dev/null"], {
        cwd: directory.path,
        env: { ...ports, TERM: "xterm", ...environment },
        stdin: "ignore",
      }).stdout.toString();
    expect(onTerminal({})).toContain("\u001b[32m✓\u001b[0m");
    expect(onTerminal({ NO_COLOR: "1" })).not.toContain("\u001b[3");
  });
});

const page = readFileSync("docs/operating.md", "utf8");
const shown = new Set([...page.matchAll(/^\.\/instant .* trace .*$/gm)].map(([line]) => line));
const sampleId = "018f3a5e-7d1c-4a52-9c7e-1f2d3c4b5a69";
const recipient = "ana@example.com";

describe.skipIf(program === "")("instant trace", () => {
  const stack = new AsyncDisposableStack();
  let dev: DevProcess;
  let messageId = "";
  beforeAll(async () => {
    dev = stack.use(await openDevProcess(program));
    writeFileSync(join(dev.directory, ".env"), "");
    await dev.codeAfter(recipient, () => dev.requestCode(recipient));
    messageId = await eventually("the mail is recorded", () => {
      const [line] = dev.process.findLogs("Marked email as processed");
      return line === undefined ? undefined : String(line["messageID"]);
    });
  }, 60_000);
  afterAll(() => stack.disposeAsync());

  /** What it prints, and its exit code, in the directory of the running services. */
  async function trace(...parameters: string[]) {
    const options = { program, directory: dev.directory };
    await using command = new InstantProcess(parameters, options);
    return { exitCode: await command.end(), output: command.output };
  }

  test.each([...shown])("%s does what it says", async (command) => {
    const words = command.replace(sampleId, messageId).split(" ").slice(1);
    const { exitCode, output } = await trace(...words);
    expect({ exitCode, output }).toMatchObject({ exitCode: 0 });
    expect(output).toContain(messageId);
    for (const state of ["claimed", "submitting", "accepted"]) expect(output).toContain(state);
    expect(output).not.toContain(recipient);
  });

  test("prints the same JSON as serve-email's API", async () => {
    const { output } = await trace("trace", messageId, "--json");
    const answer = await fetch(`${dev.emailUrl}/messages/${messageId}`);
    expect(await answer.json()).toEqual(JSON.parse(output));
    expect(JSON.parse(output)).toMatchObject({
      state: "accepted",
      attempts: 1,
      smtp: { host: "inbox" },
    });
    expect((await fetch(`${dev.emailUrl}/messages/unknown`)).status).toBe(404);
    const elsewhere = { headers: { Host: "evil.example" } };
    expect((await fetch(`${dev.emailUrl}/messages/${messageId}`, elsewhere)).status).toBe(403);
  });

  test("waits for a mail that is not there yet, and reports it when it comes", async () => {
    const options = { program, directory: dev.directory };
    await using command = new InstantProcess(["trace", "bob@example.com", "--follow"], options);
    await dev.codeAfter("bob@example.com", () => dev.requestCode("bob@example.com"));
    await eventually("it reports the mail", () => command.output.includes("accepted"));
    expect(await command.stop("SIGINT")).toBe(0);
  });

  test("exits with 1 for an unknown id, and with 2 for one that cannot be an id", async () => {
    const unknown = await trace("trace", "nobody-knows");
    expect(unknown).toMatchObject({ exitCode: 1, output: expect.stringContaining("No mail") });
    expect(await trace("trace", "not an id")).toMatchObject({ exitCode: 2 });
  });
});

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

describe.skipIf(program === "").each([...engines])("instant suppressions on %s", (engine) => {
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

  test("exports a file that only its owner can read, and imports it", async () => {
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

  test("imports nothing from a file with a bad line, and names the line", async () => {
    await using tool = await openTool(engine);
    writeFileSync(join(tool.directory, "bad.csv"), "address\nana@example.com\nnobody\n");
    const { exitCode, stderr } = await tool.fail("import", "bad.csv");
    expect(exitCode).toBe(2);
    expect(stderr).toContain("line 3: address must be an e-mail address");
    expect(await tool.json("list")).toEqual({ total: 0, suppressions: [] });
  });
});

describe.skipIf(program === "")("instant suppressions", () => {
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

  test("reports that Postgres is unavailable, with exit code 1", async () => {
    using directory = temporaryDirectory();
    const environment = { DATABASE_URL: "postgres://nobody@127.0.0.1:1/none" };
    const options = { directory: directory.path, environment };
    const { exitCode, stderr } = await runInstant(["suppressions", "list"], options);
    expect([exitCode, stderr]).toEqual([1, expect.stringContaining("Postgres did not answer")]);
  });
});
