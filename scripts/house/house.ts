import { adaptersRule } from "./adapters.ts";
import { clientsRule } from "./clients.ts";
import { cyclesRule } from "./cycles.ts";
import { namesRule } from "./names.ts";
import type { Problem, Rule, SourceFile } from "./rule.ts";
import { sizesRule } from "./sizes.ts";
import { readSourceFiles } from "./source-files.ts";
import { stairsRule } from "./stairs.ts";
import type { ToolReport } from "./tools.ts";
import { runBiome, runTypeScript } from "./tools.ts";
import { wordsRule } from "./words.ts";

export const rules: readonly Rule[] = [
  stairsRule,
  clientsRule,
  adaptersRule,
  cyclesRule,
  sizesRule,
  namesRule,
  wordsRule,
];

/** One rule or tool that was checked, and what to print of it. */
export interface CheckResult {
  readonly name: string;
  readonly passed: boolean;
  readonly report: string;
}

/** Checks everything; the tools run beside each other. */
export async function checkHouse(
  repository: string,
  options: { readonly write: boolean } = { write: false },
): Promise<CheckResult[]> {
  const tools = [
    runBiome(repository, options.write).then((report) => describeTool("biome", report)),
    runTypeScript(repository).then((report) => describeTool("types", report)),
  ];
  const files = readSourceFiles(repository);
  const checked = rules.map((rule) => checkRule(rule, files));
  return [...(await Promise.all(tools)), ...checked];
}

export function checkRule(rule: Rule, files: readonly SourceFile[]): CheckResult {
  const problems = rule.find(files);
  if (problems.length === 0) return { name: rule.name, passed: true, report: "" };
  const places = problems.map((problem) => `  ${describeProblem(problem)}`);
  const report = [...places, `  Why: ${rule.why}`, `  Do: ${rule.mend}`].join("\n");
  return { name: rule.name, passed: false, report };
}

function describeTool(name: string, report: ToolReport): CheckResult {
  return { name, passed: report.ok, report: report.ok ? "" : report.output };
}

function describeProblem({ path, line, what }: Problem): string {
  return `${line === undefined ? path : `${path}:${line}`} ${what}`;
}
