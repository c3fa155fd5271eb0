/** The command behind scripts/check: prints a line for each rule, then N passed, N failed. */
import { readFileSync } from "node:fs";
import { join, resolve } from "node:path";
import { countCode, isBeyond, limitsEnforced, summarize } from "./counts.ts";
import type { SourceFile } from "./rules.ts";
import { rules } from "./rules.ts";

/** One rule or tool that was checked, and what to print of it. */
interface CheckResult {
  readonly name: string;
  readonly passed: boolean;
  readonly report: string;
}

const toolDeadlineMs = 120_000;

/** Why a rule exists, for the rules of Biome that do not say so themselves. */
const reasons = {
  noImportCycles:
    "Files in an import cycle can only be understood, moved and initialised together. Move what they share into a third file, or pass it as an argument.",
  useFilenamingConvention:
    "A name says what is inside, in kebab-case: a port's file is named after its interface, an adapter's after its technology. Files called utils or types collect whatever nobody found a place for, and an index hides where things are. src has only the layers: main, commands, compose, doctor, auth, email, core.",
  noExcessiveLinesPerFile:
    "A file is one idea, whole. Move the second idea to a file of its own name; do not pack lines.",
  noExcessiveLinesPerFunction:
    "A function does one thing and is read without scrolling: 68 lines between its braces, 70 with signature and closing brace. Extract steps into named functions; do not pack lines.",
  noExcessiveStatementsPerFunction:
    "A test checks one behaviour, and a suite function contains only tests. Split the behaviours; move the setup into a rig.",
};

/** Checks everything; the tools run beside each other. */
export async function checkRepository(repository: string, write = false): Promise<CheckResult[]> {
  const tools = [checkBiome(repository, write), checkTypes(repository)];
  const files = readSourceFiles(repository);
  return [...(await Promise.all(tools)), ...checkRules(files), checkCounts(files)];
}

/** Format, lint and what of our rules is in biome.json. `write` fixes what is safe to fix. */
export async function checkBiome(repository: string, write = false): Promise<CheckResult> {
  const options = ["check", "--error-on-warnings", "--max-diagnostics=100"];
  if (write) options.push("--write");
  const result = await runTool(repository, "biome", "@biomejs/biome/bin/biome", options);
  const broken = Object.entries(reasons).filter(([rule]) => result.report.includes(`/${rule} `));
  const why = broken.map(([rule, reason]) => `\n  ${rule}: ${reason}`);
  return { ...result, report: result.report + why.join("") };
}

/** Types, as strict as tsconfig.json says. */
function checkTypes(repository: string): Promise<CheckResult> {
  return runTool(repository, "types", "typescript/bin/tsc", ["--noEmit", "--project", "."]);
}

export function checkRules(files: readonly SourceFile[]): CheckResult[] {
  return Object.entries(rules).map(([name, { find, why }]) => {
    const problems = find(files);
    const report = ["", ...problems, `Why: ${why}`].join("\n  ");
    return { name, passed: problems.length === 0, report };
  });
}

export function checkCounts(files: readonly SourceFile[], enforced = limitsEnforced): CheckResult {
  const counts = countCode(files);
  const beyond = counts.filter(isBeyond).filter((count) => enforced || count.alwaysEnforced);
  const why =
    "An idea cut into slices makes a reader open one file after another. Merge a slice into the file that it belongs to; do not pack lines.";
  const report = ["", ...beyond.flatMap((count) => count.files ?? []), `Why: ${why}`].join("\n  ");
  const name = `counts${enforced ? "" : " (not enforced yet)"}: ${summarize(counts)}`;
  return { name, passed: beyond.length === 0, report };
}

async function runTool(
  repository: string,
  name: string,
  program: string,
  parameters: readonly string[],
): Promise<CheckResult> {
  const child = Bun.spawn(
    [process.execPath, join(repository, "node_modules", program), ...parameters],
    { cwd: repository, stdout: "pipe", stderr: "pipe", timeout: toolDeadlineMs },
  );
  const [stdout, stderr, code] = await Promise.all([
    new Response(child.stdout).text(),
    new Response(child.stderr).text(),
    child.exited,
  ]);
  return { name, passed: code === 0, report: `\n${stdout}${stderr}`.trimEnd() };
}

/** The files that git tracks or would add, so that a rule fails before the commit. */
export function readSourceFiles(repository: string): SourceFile[] {
  const list = Bun.spawnSync(
    ["git", "ls-files", "-z", "--cached", "--others", "--exclude-standard"],
    { cwd: repository },
  );
  if (!list.success) throw new Error(`git ls-files failed: ${list.stderr.toString()}`);
  const paths = list.stdout.toString().split("\0").filter(Boolean);
  return paths.flatMap((path) => {
    try {
      const text = readFileSync(join(repository, path), "utf8");
      return text.includes("\0") ? [] : [{ path, text }];
    } catch {
      return []; // deleted but still tracked
    }
  });
}

async function main(): Promise<void> {
  const parameters = process.argv.slice(2);
  if (parameters.some((parameter) => parameter !== "--write")) {
    console.error("usage: scripts/check [--write]   (--write applies the safe fixes of Biome)");
    process.exit(2);
  }
  const repository = resolve(import.meta.dir, "../..");
  const results = await checkRepository(repository, parameters.includes("--write"));
  for (const { name, passed, report } of results) {
    console.log(passed ? `✓ ${name}` : `✗ ${name}${report}\n`);
  }
  const failed = results.filter((result) => !result.passed).length;
  console.log(`${results.length - failed} passed, ${failed} failed`);
  process.exit(failed === 0 ? 0 : 1);
}

if (import.meta.main) await main();
