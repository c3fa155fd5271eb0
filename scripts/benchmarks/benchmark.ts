import type { Stage } from "./stage.ts";

export type Scale = "full" | "quick";

/** One row: a job of instant, measured against a yardstick in the same run. */
export interface Benchmark {
  /** kebab-case, for --only. */
  readonly name: string;
  /** Column of the table, as is `yardstick`. */
  readonly job: string;
  readonly yardstick: string;
  /** "mails/s", "requests/s", "ms", "MB". */
  readonly unit: string;
  /** For the ratio ours / yardstick. */
  readonly target: Target;
  /** A second target, for ours alone. */
  readonly oursAtMost?: number | undefined;
  readonly inQuick: boolean;
  /** Takes 5 s at most with "quick". Throws when it cannot measure. */
  readonly measure: (stage: Stage, scale: Scale) => Promise<readonly Pair[]>;
}

export type Target = { readonly atLeast: number } | { readonly atMost: number };

/** One run of one side: in the row's unit, and CPU time per mail or request. */
export interface Measured {
  readonly value: number;
  readonly cpuMicros?: number;
}

export interface Pair {
  readonly ours: number;
  readonly yardstick: number;
  /** Of the measured process alone, per mail or request: steadier than a rate. */
  readonly cpuMicros?: CpuMicros;
}

interface CpuMicros {
  readonly ours?: number | undefined;
  readonly yardstick?: number | undefined;
}

interface Sides {
  readonly ours: () => Promise<Measured>;
  readonly yardstick: () => Promise<Measured>;
  /** Gets a line per pair, for rows that take minutes. */
  readonly print?: (line: string) => void;
}

/**
 * Measures both sides `pairs` times, one after the other, never at once. Ours goes first in every
 * other pair: a machine that warms up or gets busy then slows both alike.
 */
export async function alternate(pairs: number, sides: Sides): Promise<Pair[]> {
  const measured: Pair[] = [];
  for (let round = 0; round < pairs; round += 1) {
    const early = round % 2 === 0 ? await sides.ours() : undefined;
    const yardstick = await sides.yardstick();
    const ours = early ?? (await sides.ours());
    measured.push({
      ours: ours.value,
      yardstick: yardstick.value,
      cpuMicros: { ours: ours.cpuMicros, yardstick: yardstick.cpuMicros },
    });
    sides.print?.(`  ${round + 1} of ${pairs}: ${(ours.value / yardstick.value).toFixed(3)}×`);
  }
  return measured;
}

/** A row of the table and of docs/benchmarks.json. */
export interface Result extends Omit<Benchmark, "inQuick" | "measure"> {
  readonly measured: {
    /** Median of each side. */
    readonly ours: number;
    readonly yardstick: number;
    /** Median, least and greatest of the pairs' own ratios. */
    readonly ratio: number;
    readonly ratioMin: number;
    readonly ratioMax: number;
    /** Medians, where measured. */
    readonly cpuMicros?: CpuMicros;
  };
  readonly isMet: boolean;
  readonly pairs: readonly Pair[];
}

/** Throws when there is no pair, or one that is not a number: nothing was measured then. */
export function summarize(benchmark: Benchmark, pairs: readonly Pair[]): Result {
  const { name, job, yardstick, unit, target, oursAtMost } = benchmark;
  const ratios = pairs.map((pair) => pair.ours / pair.yardstick);
  if (ratios.length === 0 || !ratios.every(Number.isFinite)) {
    throw new Error(`nothing was measured: ${JSON.stringify(pairs)}`);
  }
  const ours = median(pairs.map((pair) => pair.ours));
  const ratio = median(ratios);
  const isInTarget = "atLeast" in target ? ratio >= target.atLeast : ratio <= target.atMost;
  return {
    name,
    job,
    yardstick,
    unit,
    target,
    oursAtMost,
    measured: {
      ours,
      yardstick: median(pairs.map((pair) => pair.yardstick)),
      ratio,
      ratioMin: Math.min(...ratios),
      ratioMax: Math.max(...ratios),
      cpuMicros: { ours: medianCpu("ours", pairs), yardstick: medianCpu("yardstick", pairs) },
    },
    isMet: isInTarget && ours <= (oursAtMost ?? Number.POSITIVE_INFINITY),
    pairs,
  };
}

function medianCpu(side: "ours" | "yardstick", pairs: readonly Pair[]): number | undefined {
  const values = pairs.flatMap(({ cpuMicros }) => cpuMicros?.[side] ?? []);
  return values.length === 0 ? undefined : median(values);
}

export function median(values: readonly number[]): number {
  const sorted = values.toSorted((a, b) => a - b);
  const half = sorted.length >> 1;
  const upper = sorted[half] ?? Number.NaN;
  return sorted.length % 2 === 1 ? upper : ((sorted[half - 1] ?? Number.NaN) + upper) / 2;
}

/**
 * Whether a ratio is too far from the committed one to be noise: less than half of it, or more than
 * twice as much where less is better.
 */
export function isFarWorse(target: Target, ratio: number, committed: number): boolean {
  return "atLeast" in target ? ratio < committed / 2 : ratio > committed * 2;
}
