/**
 * The command behind scripts/bench: measures each row and prints the table; --write also saves it.
 * Exit code 1 when a row could not be measured.
 */
import { readFileSync, writeFileSync } from "node:fs";
import { join, resolve } from "node:path";
import { parseArgs } from "node:util";
import { findBefore } from "./before.ts";
import type { Benchmark, Result } from "./benchmark.ts";
import { summarize } from "./benchmark.ts";
import { profiledProgram, readShares, renderShares } from "./profile.ts";
import { formatNumber, readRecorded, record, renderTable, replaceMeasured } from "./report.ts";
import { benchmarks } from "./rows.ts";
import type { Stage } from "./stage.ts";
import { openStage } from "./stage.ts";

interface BenchOptions {
  readonly quick: boolean;
  /** Names of the rows to measure; undefined: all of this scale. */
  readonly only: readonly string[] | undefined;
  readonly json: boolean;
  readonly write: boolean;
  /** Compares with an earlier commit too: always in full, with --quick when asked to. */
  readonly before: boolean;
  /** Runs the program from its sources and prints where its time goes. */
  readonly profile: boolean;
}

const usage =
  "usage: scripts/bench [--quick [--before]] [--only name,name] [--profile] [--json] [--write]";
const rowNames = benchmarks.map(({ name }) => name);

/** Throws an Error with the problem, the usage and the names of the rows; `--help` does too. */
export function parseOptions(
  parameters: readonly string[],
  names: readonly string[],
): BenchOptions {
  try {
    const { values } = parseArgs({
      args: [...parameters],
      options: {
        quick: { type: "boolean", default: false },
        before: { type: "boolean", default: false },
        only: { type: "string" },
        json: { type: "boolean", default: false },
        write: { type: "boolean", default: false },
        profile: { type: "boolean", default: false },
      },
    });
    const only = values.only?.split(",");
    const unknown = only?.filter((name) => !names.includes(name)) ?? [];
    if (unknown.length > 0) throw new Error(`unknown row: ${unknown.join(", ")}`);
    if (values.profile && values.json) throw new Error("--profile prints tables, not JSON");
    const before = !values.profile && (values.before || !values.quick);
    return { ...values, before, only };
  } catch (error) {
    throw new Error(`${(error as Error).message}\n${describeUsage(names)}`);
  }
}

function describeUsage(names: readonly string[]): string {
  return `${usage}\nrows: ${names.join(", ")}`;
}

if (import.meta.main) process.exitCode = await main(process.argv.slice(2));

async function main(parameters: readonly string[]): Promise<number> {
  if (parameters.includes("--help")) {
    console.log(describeUsage(rowNames));
    return 0;
  }
  let options: BenchOptions;
  try {
    options = parseOptions(parameters, rowNames);
  } catch (error) {
    console.error((error as Error).message);
    return 2;
  }
  const chosen = benchmarks.filter(({ name, inQuick }) => {
    return options.only?.includes(name) ?? (inQuick || !options.quick);
  });
  const print = (line: string) => console.error(line);
  const repository = resolve(import.meta.dir, "../..");
  const before = options.before ? await findBefore(repository, print) : undefined;
  await using stage = openStage(print, before);
  const act = options.profile ? profileAll : measureAll;
  return (await act(stage, chosen, options)) === chosen.length ? 0 : 1;
}

/** Resolves with the number of rows that could be measured. */
async function measureAll(
  stage: Stage,
  chosen: readonly Benchmark[],
  { quick, json, write }: BenchOptions,
): Promise<number> {
  const scale = quick ? "quick" : "full";
  const results: Result[] = [];
  let measured = 0;
  for (const benchmark of chosen) {
    const lines = await measure(benchmark, stage, scale);
    if (lines.length > 0) measured += 1;
    results.push(...lines);
  }
  if (write) {
    const recorded = record(readRecorded(stage.repository), scale, results, rowNames);
    const path = join(stage.repository, "docs/benchmarks.json");
    writeFileSync(path, `${JSON.stringify(recorded, undefined, 2)}\n`);
    // The page has what was measured in full; quick numbers are only for comparing.
    writePage(stage, (page) => replaceMeasured(page, renderTable(recorded.full)));
  }
  console.log(json ? JSON.stringify({ scale, results }) : `\n${renderTable(results)}`);
  return measured;
}

async function profileAll(
  stage: Stage,
  chosen: readonly Benchmark[],
  { quick, write }: BenchOptions,
): Promise<number> {
  const tables: string[] = [];
  for (const benchmark of chosen) {
    const directory = stage.makeDirectory();
    const profiled = { ...stage, program: profiledProgram(stage, directory) };
    const results = await measure(benchmark, profiled, quick ? "quick" : "full");
    if (results.length > 0) tables.push(renderShares(benchmark.name, readShares(directory)));
  }
  const text = tables.join("\n\n");
  if (write) writePage(stage, (page) => replaceMeasured(page, text, "scripts/bench --profile"));
  console.log(`\n${text}`);
  return tables.length;
}

/** Empty when it could not be measured; `print` says why. */
async function measure(
  benchmark: Benchmark,
  stage: Stage,
  scale: "quick" | "full",
): Promise<readonly Result[]> {
  const startedAt = Date.now();
  stage.print(`${benchmark.name}: ${benchmark.job}`);
  try {
    const results = summarize(benchmark, await benchmark.measure(stage, scale));
    for (const result of results) stage.print(`  ${describe(result)}`);
    stage.print(`  took ${Math.round((Date.now() - startedAt) / 1000)} s`);
    return results;
  } catch (error) {
    stage.print(`  NOT MEASURED: ${(error as Error).stack}`);
    return [];
  }
}

function describe({ against, unit, measured }: Result): string {
  const { ours, yardstick, ratio, cpuMicros } = measured;
  const values = `${formatNumber(ours)} against ${formatNumber(yardstick)} ${unit} (${against})`;
  const [our, its] = [cpuMicros?.ours, cpuMicros?.yardstick];
  const hasCpu = our !== undefined && its !== undefined;
  const cpu = hasCpu ? `; CPU ${formatNumber(our)} against ${formatNumber(its)} µs each` : "";
  return `${values}, ${ratio.toFixed(3)}×${cpu}`;
}

function writePage({ repository }: Stage, change: (page: string) => string): void {
  const path = join(repository, "docs/benchmarks.md");
  writeFileSync(path, change(readFileSync(path, "utf8")));
}
