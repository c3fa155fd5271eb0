/** The command behind scripts/test: check, build, engines, suites; a table, and one last line. */
import { existsSync } from "node:fs";
import { join, resolve } from "node:path";
import { withLock } from "../../support/engines/state.ts";
import { openTestServers, removeTestServers } from "./prepare.ts";
import { formatReport } from "./report.ts";
import { runSuite } from "./run-suite.ts";
import { runBuild, runCheck, runEngines } from "./steps.ts";
import type { Outcome, Suite } from "./suite.ts";
import { suites } from "./suite.ts";

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
  console.error("another scripts/test is running in this folder; waiting for it"),
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
  if (isWanted("check")) done.push(await runCheck(repository));
  if (isWanted("build") || needs.has("binary")) {
    const built = await runBuild(repository);
    done.push(built);
    if (built.failed === 0) environment["TEST_INSTANT"] = join(repository, "instant");
  }
  await removeTestServers(records); // of a run that was killed
  try {
    if ([...needs].some((need) => need !== "binary")) {
      const engines = await runEngines(repository, records, needs);
      done.push(engines.outcome);
      Object.assign(environment, engines.environment);
    }
    for (const suite of chosen) {
      if (stopping.signal.aborted) break;
      done.push(await runOrRefuse(suite, environment));
    }
  } finally {
    await removeTestServers(records);
  }
  return done;
}

async function runOrRefuse(
  suite: Suite,
  environment: Readonly<Record<string, string>>,
): Promise<Outcome> {
  if (suite.needs.includes("binary") && environment["TEST_INSTANT"] === undefined) {
    const { name, budgetSeconds } = suite;
    const notes = ["was not run: there is no ./instant"];
    return { name, passed: 0, failed: 1, skipped: 0, seconds: 0, budgetSeconds, notes };
  }
  console.error(`\n== ${suite.name} (${suite.budgetSeconds} s at most)`);
  return runSuite(suite, { repository, environment, signal: stopping.signal });
}

function hasTests(folder: string): boolean {
  const pattern = new Bun.Glob("**/*.test.{ts,tsx}");
  return !pattern.scanSync({ cwd: join(repository, folder) }).next().done;
}
