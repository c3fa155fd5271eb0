import type { Role } from "../compose/config.ts";
import { exampleOf, knownVariables, secretTexts, tryConfig } from "../compose/config.ts";
import { composeChecks } from "../compose/doctor.ts";
import type { ConfigProblem, Environment } from "../core/config.ts";
import type { Diagnosis } from "../core/diagnosis.ts";
import { coreErrors, exitCodes, InstantError } from "../core/errors.ts";
import type { Check, Report } from "../doctor/report.ts";
import {
  countFindings,
  redactSecrets,
  renderJson,
  renderReport,
  runChecks,
} from "../doctor/report.ts";
import { diagnoseNames } from "../doctor/settings.ts";

const services = ["serve-auth", "serve-email"] as const;
const deadlineMs = 9_000;
const columnsDefault = 80;
const columnsMax = 100;

/** Prints what `examine` finds. */
export async function doctor(
  environment: Environment,
  service: string | undefined,
  options: { readonly json?: boolean },
): Promise<number> {
  const { report, exitCode } = await examine(environment, parseRoles(service));
  process.stdout.write(options.json ? renderJson(report) : renderReport(report, style()));
  return exitCode;
}

/**
 * Checks the settings and everything they point to, all at once, within 10 s; changes nothing. Exit
 * code 2: a service would refuse to start with them; 1: another fault; 0: none.
 */
export async function examine(
  environment: Environment,
  roles: readonly Role[] = services,
): Promise<{ readonly report: Report; readonly exitCode: number }> {
  const startedAt = performance.now();
  const { config, problems } = tryConfig(environment, roles);
  const checks = [
    configurationCheck(environment, problems),
    ...(config === undefined ? [] : composeChecks(config, roles)),
  ];
  const found = await runChecks(checks, { deadlineMs });
  const groups = config === undefined ? found : redactSecrets(found, secretTexts(config));
  const report: Report = { groups, durationMs: performance.now() - startedAt };
  const faulty = countFindings(report).fault > 0;
  return { report, exitCode: problems.length > 0 ? exitCodes.usage : faulty ? 1 : 0 };
}

function parseRoles(service: string | undefined): readonly Role[] {
  if (service === undefined) return services;
  const role = services.find((known) => known === service);
  if (role !== undefined) return [role];
  throw new InstantError(coreErrors.usageInvalid, {
    detail: `there is no service ${service}; name ${services.join(" or ")}, or neither for both`,
  });
}

function configurationCheck(environment: Environment, problems: readonly ConfigProblem[]): Check {
  return {
    group: "Configuration",
    run: (diagnosis) => {
      const known = knownVariables();
      diagnoseProblems(problems, diagnosis);
      diagnoseNames(diagnosis, environment, known);
      if (problems.length > 0) return;
      const set = known.filter((name) => environment[name]).length;
      const text = set === 0 ? "No variable is set; the defaults apply" : countSet(set);
      diagnosis.ok("config.valid", text);
    },
  };
}

function countSet(set: number): string {
  return set === 1 ? "1 variable is set and valid" : `${set} variables are set and valid`;
}

/** A problem is often "must be …; for example NAME=value": its second half is the fix. */
function diagnoseProblems(problems: readonly ConfigProblem[], diagnosis: Diagnosis): void {
  for (const { name, problem } of problems) {
    const [what = "", rest] = problem.split(/; (.*)/s);
    const usual = problem.startsWith("must be set")
      ? `Set it, for example ${exampleOf(name)}`
      : `See ${name} in docs/configuration.md`;
    const fix = rest === undefined ? usual : rest.charAt(0).toUpperCase() + rest.slice(1);
    diagnosis.fault("config.invalid", `${name} ${what}`, fix);
  }
}

/** Colours on a terminal, unless NO_COLOR is set (https://no-color.org). */
function style(): { readonly colour: boolean; readonly columns: number } {
  const { isTTY, columns } = process.stdout;
  const colour = isTTY === true && !process.env["NO_COLOR"] && process.env["TERM"] !== "dumb";
  return { colour, columns: Math.min(columns || columnsDefault, columnsMax) };
}
