import type { Target } from "./benchmark.ts";
import type { Result } from "./result.ts";

const head = `| job | measured against | instant | yardstick | ratio | spread | target |
|---|---|---:|---:|---:|---:|---:|`;

/** A Markdown table; a target that was missed has a ✗. */
export function renderTable(results: readonly Result[]): string {
  const lines = results.map(({ job, yardstick, unit, measured, isMet, ...result }) => {
    const { ours, ratio, ratioMin, ratioMax } = measured;
    const numbers = [
      `${formatNumber(ours)} ${unit}`,
      `${formatNumber(measured.yardstick)} ${unit}`,
      `**${formatRatio(ratio)}**`,
      `${formatRatio(ratioMin).slice(0, -1)}–${formatRatio(ratioMax)}`,
      `${describeTarget(result.target, result.oursAtMost, unit)}${isMet ? "" : " ✗"}`,
    ];
    return `| ${job} | ${yardstick} | ${numbers.join(" | ")} |`;
  });
  return [head, ...lines].join("\n");
}

function describeTarget(target: Target, oursAtMost: number | undefined, unit: string): string {
  const ratio = "atLeast" in target ? `≥ ${target.atLeast}×` : `≤ ${target.atMost}×`;
  return oursAtMost === undefined ? ratio : `${ratio}, ≤ ${oursAtMost} ${unit}`;
}

/** Three figures are what such a number is good for: 36 912 → 36,900; 0.8123 → 0.812. */
export function formatNumber(value: number): string {
  return Number(value.toPrecision(3)).toLocaleString("en", { maximumFractionDigits: 6 });
}

function formatRatio(ratio: number): string {
  return `${ratio.toFixed(ratio < 0.1 ? 3 : 2)}×`;
}
