/**
 * The command behind scripts/bench: measures each row and prints the table; --write also saves it.
 * Exit code 1 when a row could not be measured.
 */
import { readFileSync, writeFileSync } from "node:fs";
import { join } from "node:path";
import { parseArgs } from "node:util";
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
  /** Runs the program from its sources and prints where its time goes. */
  readonly profile: boolean;
}

const usage = "usage: scripts/bench [--quick] [--only name,name] [--profile] [--json] [--write]";
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
    return { ...values, only };
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
  await using stage = openStage((line) => console.error(line));
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
  for (const benchmark of chosen) {
    const result = await measure(benchmark, stage, scale);
    if (result !== undefined) results.push(result);
  }
  if (write) {
    const recorded = record(readRecorded(stage.repository), scale, results, rowNames);
    const path = join(stage.repository, "docs/benchmarks.json");
    writeFileSync(path, `${JSON.stringify(recorded, undefined, 2)}\n`);
    // The page has what was measured in full; quick numbers are only for comparing.
    writePage(stage, (page) => replaceMeasured(page, renderTable(recorded.full)));
  }
  console.log(json ? JSON.stringify({ scale, results }) : `\n${renderTable(results)}`);
  return results.length;
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
    const result = await measure(benchmark, profiled, quick ? "quick" : "full");
    if (result !== undefined) tables.push(renderShares(benchmark.name, readShares(directory)));
  }
  const text = tables.join("\n\n");
  if (write) writePage(stage, (page) => replaceMeasured(page, text, "scripts/bench --profile"));
  console.log(`\n${text}`);
  return tables.length;
}

async function measure(
  benchmark: Benchmark,
  stage: Stage,
  scale: "quick" | "full",
): Promise<Result | undefined> {
  const startedAt = Date.now();
  stage.print(`${benchmark.name}: ${benchmark.job}`);
  try {
    const result = summarize(benchmark, await benchmark.measure(stage, scale));
    const { ours, yardstick, ratio, cpuMicros } = result.measured;
    const cpu = [cpuMicros?.ours, cpuMicros?.yardstick].map((micros) => {
      return micros === undefined ? "–" : formatNumber(micros);
    });
    stage.print(
      `  ${formatNumber(ours)} against ${formatNumber(yardstick)} ${benchmark.unit}, ${ratio.toFixed(3)}×; ` +
        `CPU ${cpu.join(" and ")} µs each (${Math.round((Date.now() - startedAt) / 1000)} s)`,
    );
    return result;
  } catch (error) {
    stage.print(`  NOT MEASURED: ${(error as Error).stack}`);
    return undefined;
  }
}

function writePage({ repository }: Stage, change: (page: string) => string): void {
  const path = join(repository, "docs/benchmarks.md");
  writeFileSync(path, change(readFileSync(path, "utf8")));
}
