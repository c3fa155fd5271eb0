/**
 * The command behind scripts/bench: measures each row, prints the table, and keeps it when asked.
 * Exit code 1 when a row could not be measured.
 */
import { existsSync, readFileSync, writeFileSync } from "node:fs";
import { join } from "node:path";
import { writeScaling } from "../scaling/page.ts";
import type { Benchmark } from "./benchmark.ts";
import { parseOptions } from "./options.ts";
import type { Recorded } from "./page.ts";
import { nothingRecorded, record, replaceMeasured } from "./page.ts";
import { profiledProgram, readShares, renderShares } from "./profile.ts";
import type { Result } from "./result.ts";
import { summarize } from "./result.ts";
import { benchmarks } from "./rows.ts";
import type { Stage } from "./stage.ts";
import { openStage } from "./stage.ts";
import { formatNumber, renderTable } from "./table.ts";

const print = (line: string) => console.error(line);
const names = benchmarks.map(({ name }) => name);
const options = readOptions();
const scale = options.quick ? "quick" : "full";
const chosen = benchmarks.filter(({ name, inQuick }) => {
  return options.only?.includes(name) ?? (inQuick || !options.quick);
});
await using stage = openStage(print);
const pagePath = join(stage.repository, "docs/benchmarks.md");

const done = options.profile ? await profileAll() : await measureAll();
process.exitCode = done === chosen.length ? 0 : 1;

async function measureAll(): Promise<number> {
  const results: Result[] = [];
  for (const benchmark of chosen) {
    const result = await measure(benchmark, stage);
    if (result !== undefined) results.push(result);
  }
  if (options.write) write(results);
  console.log(options.json ? JSON.stringify({ scale, results }) : `\n${renderTable(results)}`);
  return results.length;
}

async function profileAll(): Promise<number> {
  const tables: string[] = [];
  for (const benchmark of chosen) {
    const directory = stage.makeDirectory();
    const program = profiledProgram(stage, directory);
    const result = await measure(benchmark, { ...stage, program });
    if (result !== undefined) tables.push(renderShares(benchmark.name, readShares(directory)));
  }
  const text = tables.join("\n\n");
  if (options.write) {
    writeFileSync(pagePath, replaceMeasured(readPage(), text, "scripts/bench --profile"));
  }
  console.log(`\n${text}`);
  return tables.length;
}

async function measure(benchmark: Benchmark, on: Stage): Promise<Result | undefined> {
  const startedAt = Date.now();
  print(`${benchmark.name}: ${benchmark.job}`);
  try {
    const result = summarize(benchmark, await benchmark.measure(on, scale));
    const { ours, yardstick, ratio, cpuMicros } = result.measured;
    const cpu = [cpuMicros?.ours, cpuMicros?.yardstick].map((micros) => {
      return micros === undefined ? "–" : formatNumber(micros);
    });
    print(
      `  ${formatNumber(ours)} against ${formatNumber(yardstick)} ${benchmark.unit}, ${ratio.toFixed(3)}×; ` +
        `CPU ${cpu.join(" and ")} µs each (${Math.round((Date.now() - startedAt) / 1000)} s)`,
    );
    return result;
  } catch (error) {
    print(`  NOT MEASURED: ${(error as Error).stack}`);
    return undefined;
  }
}

/** The page shows what was measured in full; the quick numbers are for comparing alone. */
function write(measured: readonly Result[]): void {
  const numbersPath = join(stage.repository, "docs/benchmarks.json");
  const earlier = existsSync(numbersPath)
    ? (JSON.parse(readFileSync(numbersPath, "utf8")) as Recorded)
    : nothingRecorded;
  const recorded = record(earlier, scale, measured, names);
  writeFileSync(numbersPath, `${JSON.stringify(recorded, undefined, 2)}\n`);
  writeFileSync(pagePath, replaceMeasured(readPage(), renderTable(recorded.full)));
  writeScaling(stage.repository, recorded);
}

function readPage(): string {
  return readFileSync(pagePath, "utf8");
}

function readOptions() {
  try {
    return parseOptions(process.argv.slice(2), names);
  } catch (error) {
    print((error as Error).message);
    process.exit(2);
  }
}
