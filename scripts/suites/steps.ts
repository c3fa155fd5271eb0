import type { ServerRecords } from "../../support/engines/state.ts";
import { checkRepository } from "../repo-rules/check.ts";
import { prepareEngines } from "./prepare.ts";
import type { Need, Outcome } from "./suite.ts";
import { stepBudgetSeconds } from "./suite.ts";

/** The rules of the repository, each counted as a test. */
export async function runCheck(repository: string): Promise<Outcome> {
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

export async function runBuild(repository: string): Promise<Outcome> {
  console.error("\n== build");
  return timed("build", async () => {
    const script = [process.execPath, "--no-env-file", "scripts/binary/build.ts", "--if-needed"];
    const built = Bun.spawn(script, { cwd: repository, stdout: "inherit", stderr: "inherit" });
    return (await built.exited) === 0 ? { passed: 1, failed: 0 } : { passed: 0, failed: 1 };
  });
}

/** Every engine that is ready counts as passed; a missing one as failed, but only with CI=true. */
export async function runEngines(
  repository: string,
  records: ServerRecords,
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

/** A step is not ended when it is over its budget, but it has failed; so has one that throws. */
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
