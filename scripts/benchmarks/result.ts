import type { Benchmark, Pair, Target } from "./benchmark.ts";

/** A row of the table, and of docs/benchmarks.json. */
export interface Result
  extends Pick<Benchmark, "name" | "job" | "yardstick" | "unit" | "target" | "oursAtMost"> {
  readonly measured: {
    /** Medians of each side. */
    readonly ours: number;
    readonly yardstick: number;
    /** Of the pairs' own ratios: the median, the least and the greatest. */
    readonly ratio: number;
    readonly ratioMin: number;
    readonly ratioMax: number;
    /** Medians, where they were measured. */
    readonly cpuMicros?: { readonly ours?: number; readonly yardstick?: number };
  };
  readonly isMet: boolean;
  readonly pairs: readonly Pair[];
}

/** Throws when there is no pair, or a side that is no number: nothing was measured then. */
export function summarize(benchmark: Benchmark, pairs: readonly Pair[]): Result {
  const { name, job, yardstick, unit, target, oursAtMost } = benchmark;
  const ratios = pairs.map((pair) => pair.ours / pair.yardstick);
  if (ratios.length === 0 || !ratios.every(Number.isFinite)) {
    throw new Error(`nothing was measured: ${JSON.stringify(pairs)}`);
  }
  const ours = median(pairs.map((pair) => pair.ours));
  const ratio = median(ratios);
  return {
    ...{ name, job, yardstick, unit, target },
    ...(oursAtMost === undefined ? {} : { oursAtMost }),
    measured: {
      ours,
      yardstick: median(pairs.map((pair) => pair.yardstick)),
      ratio,
      ratioMin: Math.min(...ratios),
      ratioMax: Math.max(...ratios),
      cpuMicros: {
        ...medianOfSome("ours", pairs),
        ...medianOfSome("yardstick", pairs),
      },
    },
    isMet: isWithin(target, ratio) && ours <= (oursAtMost ?? Number.POSITIVE_INFINITY),
    pairs,
  };
}

function isWithin(target: Target, ratio: number): boolean {
  return "atLeast" in target ? ratio >= target.atLeast : ratio <= target.atMost;
}

function medianOfSome(side: "ours" | "yardstick", pairs: readonly Pair[]) {
  const values = pairs.flatMap(({ cpuMicros }) => cpuMicros?.[side] ?? []);
  return values.length === 0 ? {} : { [side]: median(values) };
}

export function median(values: readonly number[]): number {
  const sorted = values.toSorted((a, b) => a - b);
  const half = sorted.length >> 1;
  const upper = sorted[half] ?? Number.NaN;
  return sorted.length % 2 === 1 ? upper : ((sorted[half - 1] ?? Number.NaN) + upper) / 2;
}
