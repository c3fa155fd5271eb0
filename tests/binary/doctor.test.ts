import { describe, expect, test } from "bun:test";
import { existsSync, readdirSync } from "node:fs";
import { findEngine } from "../../support/engines.ts";
import { temporaryDirectory } from "../../support/temporary-directory.ts";
import { runInstant } from "../support/run-instant.ts";

const ports = { AUTH_SERVICE_PORT: "0", EMAIL_SERVICE_PORT: "0" };

async function run(parameters: readonly string[], environment: Readonly<Record<string, string>>) {
  using directory = temporaryDirectory();
  const startedAt = performance.now();
  const options = { directory: directory.path, environment: { ...ports, ...environment } };
  const finished = await runInstant(["doctor", ...parameters], options);
  expect(readdirSync(directory.path)).toEqual([]); // it changes nothing
  return { ...finished, seconds: (performance.now() - startedAt) / 1000 };
}

describe.skipIf(findEngine("instant") === undefined)("instant doctor", () => {
  test("is quick when all is well, prints no colour into a pipe, and leaves nothing", async () => {
    const engines = {
      REDIS_URL: findEngine("redis") ?? "",
      DATABASE_URL: findEngine("postgres") ?? "",
    };
    const { exitCode, stdout, stderr, seconds } = await run([], engines);
    expect(stdout).toContain("✗ 0 ");
    expect({ exitCode, stderr }).toEqual({ exitCode: 0, stderr: "" });
    expect(seconds).toBeLessThan(3);
    expect(stdout).not.toContain("\u001b");
    expect(Math.max(...stdout.split("\n").map((line) => line.length))).toBeLessThanOrEqual(80);
  });

  test("exits with 1 for a fault, and with 2 for a configuration that services refuse", async () => {
    const faulty = await run(["--json"], { REDIS_ADDR: "127.0.0.1:1" });
    expect(faulty.exitCode).toBe(1);
    expect(JSON.parse(faulty.stdout)).toMatchObject({ ok: false, counts: { fault: 1 } });
    const refused = await run(["serve-email"], { APP_ENV: "production" });
    expect(refused.exitCode).toBe(2);
    expect(refused.stdout).toContain("✗ EMAIL_SECRET must be set because APP_ENV is production");
    expect(refused.stdout).not.toContain("✗ AUTH_SECRET");
    const mistyped = await run(["serve-mail"], {});
    expect(mistyped.exitCode).toBe(2);
    expect(mistyped.stderr).toContain("serve-auth or serve-email");
  });

  test("prints colour on a terminal, unless NO_COLOR is set", () => {
    const script = Bun.which("script"); // gives the program a terminal
    if (script === null || !existsSync("/dev/ptmx")) return;
    using directory = temporaryDirectory();
    const onTerminal = (environment: Readonly<Record<string, string>>) =>
      Bun.spawnSync([script, "-qec", `${findEngine("instant")} doctor`, "/dev/null"], {
        cwd: directory.path,
        env: { ...ports, TERM: "xterm", ...environment },
        stdin: "ignore",
      }).stdout.toString();
    expect(onTerminal({})).toContain("\u001b[32m✓\u001b[0m");
    expect(onTerminal({ NO_COLOR: "1" })).not.toContain("\u001b[3");
  });
});
