import { describe, expect, test } from "bun:test";
import { mkdirSync, rmSync, utimesSync, writeFileSync } from "node:fs";
import { join } from "node:path";
import { isFresh } from "../../../scripts/binary/build.ts";
import {
  findLeftovers,
  markName,
  parseSummary,
  runSuite,
} from "../../../scripts/suites/run-suite.ts";
import type { Outcome } from "../../../scripts/suites/suite.ts";
import { formatReport, stepBudgetSeconds, suites } from "../../../scripts/suites/suite.ts";
import { temporaryDirectory } from "../../../support/temporary-directory.ts";

/** Runs a suite of one file in a folder of its own. */
async function run(text: string, budgetSeconds = 20): Promise<Outcome> {
  using directory = temporaryDirectory();
  mkdirSync(join(directory.path, "sub"));
  const head = `import { expect, test } from "bun:test";\n`;
  writeFileSync(join(directory.path, "sub", "a.test.ts"), head + text);
  const suite = { name: "sub", folder: "sub", budgetSeconds, needs: [] };
  const signal = new AbortController().signal;
  return await runSuite(suite, {
    repository: directory.path,
    environment: { GIVEN: "yes" },
    signal,
    quiet: true,
  });
}

describe("summary", () => {
  test("all counts are parsed, coloured or not", () => {
    const text =
      "\n\u001b[0m\u001b[32m 12 pass\u001b[0m\n 2 skip\n 1 todo\n\u001b[31m 3 fail\u001b[0m\n";
    expect(parseSummary(text)).toEqual({ passed: 12, failed: 3, skipped: 3 });
  });

  test("a file that could not be loaded is a failure", () => {
    expect(parseSummary(" 0 pass\n 1 fail\n 1 error\n")?.failed).toBe(1);
    expect(parseSummary(" 5 pass\n 0 fail\n 1 error\n")?.failed).toBe(1);
  });

  test("of a test that ran tests itself, only the outer counts are parsed", () => {
    const inner = " 7 pass\n 4 skip\n 1 fail\n";
    const outer = " 3 pass\n 0 fail\nRan 3 tests\n";
    expect(parseSummary(inner + outer)).toEqual({ passed: 3, failed: 0, skipped: 0 });
  });

  test("output without a summary has no counts", () => {
    expect(parseSummary("Segmentation fault\n")).toBeUndefined();
  });
});

describe("a suite", () => {
  test("gets the variables, and its passed and failed tests are counted", async () => {
    const outcome = await run(`
      test("a", () => expect(process.env["GIVEN"]).toBe("yes"));
      test("b", () => expect(1).toBe(2));
      test.skip("c", () => {});
    `);
    expect(outcome).toMatchObject({ passed: 1, failed: 1, skipped: 1 });
    expect(outcome.notes[0]).toStartWith(
      "b: error: expect(received).toBe(expected) Expected: 2 Received: 1",
    );
  });

  test("over its budget is ended and fails", async () => {
    const outcome = await run(`test("a", async () => { await Bun.sleep(60_000); }, 90_000);`, 1);
    expect(outcome.failed).toBe(1);
    expect(outcome.notes).toEqual(["took longer than 1 s and was ended"]);
    expect(outcome.seconds).toBeLessThan(8);
  });

  test("that exits without a summary fails", async () => {
    for (const code of [0, 3]) {
      const outcome = await run(`test("a", () => process.exit(${code}));`);
      expect(outcome.failed).toBe(1);
      expect(outcome.notes).toEqual([`ended with exit code ${code}`]);
    }
  });

  test("that leaves a process running fails, and the process is ended", async () => {
    const outcome = await run(`
      import { spawn } from "node:child_process";
      test("a", () => void spawn("sleep", ["61"], { detached: true, stdio: "ignore" }).unref());
    `);
    expect(outcome.passed).toBe(1);
    expect(outcome.failed).toBe(1);
    expect(outcome.notes).toEqual(["left a process running: sleep 61"]);
  });
});

describe("leftovers", () => {
  test("only processes with the suite's own mark are found", async () => {
    const mark = `leftovers-${process.pid}`;
    const child = Bun.spawn(["sleep", "62"], { env: { ...process.env, [markName]: mark } });
    expect(findLeftovers(mark)).toEqual([{ pid: child.pid, command: "sleep 62" }]);
    expect(findLeftovers(`${mark}-other`)).toEqual([]);
    child.kill();
    await child.exited;
  });
});

describe("the report", () => {
  test("ends with the one line that machines read", () => {
    const outcome = (name: string, passed: number, failed: number, notes: string[] = []) => {
      return { name, passed, failed, skipped: 0, seconds: 1.25, budgetSeconds: 60, notes };
    };
    const report = formatReport([outcome("check", 9, 0), outcome("unit", 5, 2, ["too late"])]);
    expect(report.split("\n").at(-1)).toBe("14 passed, 2 failed");
    expect(report).toContain("unit: too late");
    expect(report).toMatch(/^check +9 +0 +0 +1\.\d \/ 60$/m);
  });

  test("all budgets together are at most twenty-five minutes", () => {
    const steps = Object.values(stepBudgetSeconds).reduce((sum, seconds) => sum + seconds, 0);
    const all = suites.reduce((sum, suite) => sum + suite.budgetSeconds, steps);
    expect(all).toBeLessThanOrEqual(25 * 60);
  });
});

/** A product made at 1000 s of sources from before; `touch` changes one at 2000 s. */
function prepare(root: string) {
  const product = join(root, "instant");
  const source = join(root, "src");
  mkdirSync(join(source, "core"), { recursive: true });
  const paths = [join(source, "core", "a.ts"), product];
  for (const path of paths) writeFileSync(path, "");
  for (const path of [...paths, join(source, "core"), source]) utimesSync(path, 1000, 1000);
  return { product, source, file: join(source, "core", "a.ts") };
}

test("a product as new as its sources is fresh", () => {
  using directory = temporaryDirectory();
  const { product, source } = prepare(directory.path);
  expect(isFresh(product, [source, join(directory.path, "not-there")])).toBe(true);
});

test("a changed source makes it stale", () => {
  using directory = temporaryDirectory();
  const { product, source, file } = prepare(directory.path);
  utimesSync(file, 2000, 2000);
  expect(isFresh(product, [source])).toBe(false);
});

test("a deleted source makes it stale", () => {
  using directory = temporaryDirectory();
  const { product, source, file } = prepare(directory.path);
  rmSync(file);
  expect(isFresh(product, [source])).toBe(false);
});

test("a product that is not there is not fresh", () => {
  using directory = temporaryDirectory();
  expect(isFresh(join(directory.path, "instant"), [])).toBe(false);
});
