/** The command behind scripts/test: check, build, engines, suites; a table, and one last line. */
import { existsSync } from "node:fs";
import { join, resolve } from "node:path";
import { withLock } from "../../support/engines/state.ts";
import { checkRepository } from "../repo-rules/check.ts";
import { openTestServers, prepareEngines, removeTestServers } from "./prepare.ts";
import { runSuite } from "./run-suite.ts";
import type { Need, Outcome, Suite } from "./suite.ts";
import { formatReport, stepBudgetSeconds, suites } from "./suite.ts";

const repository = resolve(import.meta.dir, "../..");
const parameters = process.argv.slice(2);
const names = ["check", "build", ...suites.map(({ name }) => name)];
if (!parameters.every((parameter) => names.includes(parameter))) {
  console.error(`usage: scripts/test [${names.join("] [")}]`);
  process.exit(2);
}
const isWanted = (name: string) => parameters.length === 0 || parameters.includes(name);

const stopping = new AbortController();
for (const signal of ["SIGINT", "SIGTERM"] as const) process.on(signal, () => stopping.abort());

const records = openTestServers(repository);
const outcomes = await withLock(join(records.directory, "lock"), runAll, () =>
  console.error("another scripts/test is running in this directory; waiting for it to end"),
);
console.log(formatReport(outcomes));
const failed = outcomes.some((outcome) => outcome.failed > 0);
process.exit(stopping.signal.aborted ? 130 : failed ? 1 : 0);

async function runAll(): Promise<Outcome[]> {
  const chosen = suites.filter(({ name, folder }) => {
    return isWanted(name) && existsSync(join(repository, folder)) && hasTests(folder);
  });
  const needs = new Set(chosen.flatMap((suite) => suite.needs));
  const done: Outcome[] = [];
  const environment: Record<string, string> = {};
  if (isWanted("check")) done.push(await runCheck());
  if (isWanted("build") || needs.has("binary")) {
    const built = await runBuild();
    done.push(built);
    if (built.failed === 0) environment["TEST_INSTANT"] = join(repository, "instant");
  }
  await removeTestServers(records); // of a run that was killed
  try {
    if ([...needs].some((need) => need !== "binary")) {
      const engines = await runEngines(needs);
      done.push(engines.outcome);
      Object.assign(environment, engines.environment);
    }
    for (const suite of chosen) {
      if (stopping.signal.aborted) break;
      done.push(await runIfBuilt(suite, environment));
    }
  } finally {
    await removeTestServers(records);
  }
  return done;
}

async function runIfBuilt(
  suite: Suite,
  environment: Readonly<Record<string, string>>,
): Promise<Outcome> {
  if (suite.needs.includes("binary") && environment["TEST_INSTANT"] === undefined) {
    const { name, budgetSeconds } = suite;
    const notes = ["not run: ./instant is missing"];
    return { name, passed: 0, failed: 1, skipped: 0, seconds: 0, budgetSeconds, notes };
  }
  console.error(`\n== ${suite.name} (${suite.budgetSeconds} s at most)`);
  return runSuite(suite, { repository, environment, signal: stopping.signal });
}

function hasTests(folder: string): boolean {
  const pattern = new Bun.Glob("**/*.test.{ts,tsx}");
  return !pattern.scanSync({ cwd: join(repository, folder) }).next().done;
}

/** Each rule counts as a test. */
async function runCheck(): Promise<Outcome> {
  console.error("== check");
  return timed("check", async () => {
    const results = await checkRepository(repository);
    for (const { name, report } of results.filter((result) => !result.passed)) {
      console.error(`✗ ${name}${report}\n`);
    }
    const passed = results.filter((result) => result.passed).length;
    return { passed, failed: results.length - passed };
  });
}

async function runBuild(): Promise<Outcome> {
  console.error("\n== build");
  return timed("build", async () => {
    const script = [process.execPath, "--no-env-file", "scripts/binary/build.ts", "--if-needed"];
    const built = Bun.spawn(script, { cwd: repository, stdout: "inherit", stderr: "inherit" });
    return (await built.exited) === 0 ? { passed: 1, failed: 0 } : { passed: 0, failed: 1 };
  });
}

/** An engine that is ready counts as passed, a missing one as skipped, or failed with CI=true. */
async function runEngines(
  needs: ReadonlySet<Need>,
): Promise<{ outcome: Outcome; environment: Readonly<Record<string, string>> }> {
  console.error("\n== engines");
  let environment: Readonly<Record<string, string>> = {};
  const outcome = await timed("engines", async () => {
    const prepared = await prepareEngines(repository, records, needs);
    environment = prepared.environment;
    for (const line of prepared.missing) console.error(`MISSING ${line}`);
    const missing = prepared.missing.length;
    const counted = process.env["CI"] === "true" ? { failed: missing } : { skipped: missing };
    return { passed: prepared.ready.length, failed: 0, notes: prepared.missing, ...counted };
  });
  return { outcome, environment };
}

type StepResult = Pick<Outcome, "passed" | "failed"> & Partial<Pick<Outcome, "skipped" | "notes">>;

/** A step that exceeds its budget is not ended but has failed; so has one that throws. */
async function timed(
  name: keyof typeof stepBudgetSeconds,
  act: () => Promise<StepResult>,
): Promise<Outcome> {
  const startedAt = Date.now();
  const result = await act().catch((error: Error): StepResult => {
    return { passed: 0, failed: 1, notes: [error.message] };
  });
  const seconds = (Date.now() - startedAt) / 1000;
  const budgetSeconds = stepBudgetSeconds[name];
  const late = seconds > budgetSeconds ? [`took longer than ${budgetSeconds} s`] : [];
  return {
    name,
    passed: result.passed,
    failed: result.failed + late.length,
    skipped: result.skipped ?? 0,
    seconds,
    budgetSeconds,
    notes: [...(result.notes ?? []), ...late],
  };
}
