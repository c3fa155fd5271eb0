/** How results are printed, and kept in docs/benchmarks.md and docs/benchmarks.json. */
import { readFileSync } from "node:fs";
import { join } from "node:path";
import { replaceBetween } from "../documents/marked.ts";
import type { Result, Scale, Target } from "./benchmark.ts";

/** docs/benchmarks.json: the last results of each scale. */
type Recorded = Readonly<Record<Scale, readonly Result[]>>;

export function readRecorded(repository: string): Recorded {
  return JSON.parse(readFileSync(join(repository, "docs/benchmarks.json"), "utf8")) as Recorded;
}

/** The lines of a row that was measured again replace its old ones; in the order of `names`. */
export function record(
  earlier: Recorded,
  scale: Scale,
  results: readonly Result[],
  names: readonly string[],
): Recorded {
  const measured = new Set(results.map(({ name }) => name));
  const lines = [...earlier[scale].filter(({ name }) => !measured.has(name)), ...results];
  const ordered = names.flatMap((name) => lines.filter((line) => line.name === name));
  return { ...earlier, [scale]: ordered };
}

/** Which part of the page: the table of the rows, or where the time goes. */
type Place = "scripts/bench" | "scripts/bench --profile";

/** The page with `text` between its two marks. Throws when they are missing or out of order. */
export function replaceMeasured(
  page: string,
  text: string,
  place: Place = "scripts/bench",
): string {
  const marks = [`<!-- ${place} writes from here -->`, `<!-- ${place} to here -->`] as const;
  return replaceBetween(page, marks, `\n${text}\n`);
}

const head = `| job | measured against | instant | yardstick | ratio | spread | target |
|---|---|---:|---:|---:|---:|---:|`;

/** A Markdown table; a missed target has a ✗. */
export function renderTable(results: readonly Result[]): string {
  const lines = results.map(({ job, yardstick, unit, measured, isMet, target, oursAtMost }) => {
    const { ours, ratio, ratioMin, ratioMax } = measured;
    const numbers = [
      `${formatNumber(ours)} ${unit}`,
      `${formatNumber(measured.yardstick)} ${unit}`,
      `**${formatRatio(ratio)}**`,
      `${formatRatio(ratioMin).slice(0, -1)}–${formatRatio(ratioMax)}`,
      `${describeTargets(target, oursAtMost, unit)}${isMet ? "" : " ✗"}`,
    ];
    return `| ${job} | ${yardstick} | ${numbers.join(" | ")} |`;
  });
  return [head, ...lines].join("\n");
}

function describeTargets(
  target: Target | undefined,
  oursAtMost: number | undefined,
  unit: string,
): string {
  const targets: string[] = [];
  if (target !== undefined) {
    targets.push("atLeast" in target ? `≥ ${target.atLeast}×` : `≤ ${target.atMost}×`);
  }
  if (oursAtMost !== undefined) targets.push(`≤ ${oursAtMost.toLocaleString("en")} ${unit}`);
  return targets.join(", ");
}

/** Three significant figures: 36 912 → 36,900; 0.8123 → 0.812. */
export function formatNumber(value: number): string {
  return Number(value.toPrecision(3)).toLocaleString("en", { maximumFractionDigits: 6 });
}

function formatRatio(ratio: number): string {
  return `${ratio.toFixed(ratio < 0.1 ? 3 : 2)}×`;
}
