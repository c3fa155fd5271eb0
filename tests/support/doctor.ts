import { expect } from "bun:test";
import { examine } from "../../src/commands/doctor.ts";
import type { Finding } from "../../src/core/diagnosis.ts";
import { Diagnosis } from "../../src/core/diagnosis.ts";
import { renderReport } from "../../src/doctor/report.ts";
import { temporaryDirectory } from "../../support/temporary-directory.ts";

/** Strong, and different from each other. */
export const goodSecrets = {
  AUTH_SECRET: "u8Jx2vQe7Lr0ZtWmYc4bNfKdHs9GpA3iXo6TzVRB1qE=",
  EMAIL_SECRET: "Wd5kPzN1sYhQ8LxVr3Tg0BmCeJ7aUoF6iKvRy2XtZ4M=",
} as const;

interface Examined {
  readonly exitCode: number;
  readonly findings: readonly Finding[];
  /** As a person sees it at 80 columns without colour. */
  readonly text: string;
}

/** What `instant doctor` finds in exactly this environment, with a DATA_DIR of its own. */
export async function examineWith(
  environment: Readonly<Record<string, string>>,
): Promise<Examined> {
  using directory = temporaryDirectory();
  const ports = { AUTH_SERVICE_PORT: "0", EMAIL_SERVICE_PORT: "0" };
  const { report, exitCode } = await examine({
    ...ports,
    ...goodSecrets,
    DATA_DIR: directory.path,
    ...environment,
  });
  const findings = report.groups.flatMap((group) => group.findings);
  const text = renderReport(report, { colour: false, columns: 80 });
  for (const secret of Object.values(goodSecrets)) expect(text).not.toContain(secret);
  return { exitCode, findings, text };
}

/** What one adapter finds. */
export async function diagnosed(
  run: (diagnosis: Diagnosis) => void | Promise<void>,
): Promise<readonly Finding[]> {
  const diagnosis = new Diagnosis();
  await run(diagnosis);
  return diagnosis.findings;
}

/** The one finding of this check, which says more than that all is well. */
export function findTrouble(findings: readonly Finding[], check: string): Finding {
  const found = findings.filter((each) => each.check === check && each.level !== "ok");
  if (found.length !== 1) throw new Error(`${check}: ${JSON.stringify(findings, null, 2)}`);
  const [finding] = found;
  if (finding === undefined) throw new Error("unreachable");
  return finding;
}

/** Checks that are a fault or a warning, in order. */
export function troubles(findings: readonly Finding[]): readonly string[] {
  return findings.filter(({ level }) => level !== "ok").map(({ check }) => check);
}
