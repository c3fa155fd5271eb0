import { shortCommit } from "./before.ts";
import type { Stage } from "./stage.ts";

export type Scale = "full" | "quick";

/** One row: a job of instant, measured against its yardsticks in the same run. */
export interface Benchmark {
  /** kebab-case, for --only. */
  readonly name: string;
  /** Column of the table. */
  readonly job: string;
  /** "mails/s", "requests/s", "ms", "MB". */
  readonly unit: string;
  /** The lines of the table, all from the same rounds. */
  readonly comparisons: readonly Comparison[];
  readonly inQuick: boolean;
  /** Takes 5 s at most with "quick". Throws when it cannot measure. */
  readonly measure: (stage: Stage, scale: Scale) => Promise<readonly Round[]>;
}

interface Comparison {
  /** "before" is the program at an earlier commit; the line is left out where that is not built. */
  readonly against: "yardstick" | "before";
  /** Column of the table. */
  readonly yardstick: string;
  /** Set: this line compares the CPU time per mail, with this text as its job. */
  readonly cpuJob?: string;
  /** For the ratio ours / yardstick. */
  readonly target?: Target;
  /** For ours alone. */
  readonly oursAtMost?: number;
}

export type Target = { readonly atLeast: number } | { readonly atMost: number };

export function againstBefore(target: Target, cpuJob?: string): Comparison {
  const yardstick = `instant as of ${shortCommit}`;
  return { against: "before", yardstick, target, ...(cpuJob === undefined ? {} : { cpuJob }) };
}

/** One run of one side: in the row's unit, and CPU time per mail or request. */
export interface Measured {
  readonly value: number;
  /** Of the measured process alone: steadier than a rate. */
  readonly cpuMicros?: number;
}

/** Each side, measured one after the other. */
export interface Round {
  readonly ours: Measured;
  readonly yardstick: Measured;
  readonly before?: Measured;
}

interface Sides {
  readonly ours: () => Promise<Measured>;
  readonly yardstick: () => Promise<Measured>;
  readonly before?: (() => Promise<Measured>) | undefined;
  /** Gets a line per round, for rows that take minutes. */
  readonly print?: (line: string) => void;
}

/** The sides that are the program: as it is and, where the stage has it, as it was before. */
export function eachProgram(
  stage: Stage,
  measure: (stage: Stage) => Promise<Measured>,
): Pick<Sides, "ours" | "before"> {
  const { before } = stage;
  return {
    ours: () => measure(stage),
    before: before && (() => measure({ ...stage, program: before })),
  };
}

/**
 * Measures all sides `rounds` times, one after the other, never at once. Every other round goes in
 * reverse: a machine that warms up or gets busy then slows all alike.
 */
export async function alternate(rounds: number, sides: Sides): Promise<Round[]> {
  const measured: Round[] = [];
  for (let round = 0; round < rounds; round += 1) {
    const isReversed = round % 2 === 1;
    const late = isReversed ? await sides.yardstick() : undefined;
    const lateBefore = isReversed ? await sides.before?.() : undefined;
    const ours = await sides.ours();
    const before = lateBefore ?? (await sides.before?.());
    const yardstick = late ?? (await sides.yardstick());
    measured.push({ ours, yardstick, ...(before === undefined ? {} : { before }) });
    const ratios = [yardstick, ...(before === undefined ? [] : [before])].map(({ value }) => {
      return `${(ours.value / value).toFixed(3)}×`;
    });
    sides.print?.(`  ${round + 1} of ${rounds}: ${ratios.join(", ")}`);
  }
  return measured;
}

interface Pair {
  readonly ours: number;
  readonly yardstick: number;
  readonly cpuMicros?: CpuMicros;
}

interface CpuMicros {
  readonly ours?: number | undefined;
  readonly yardstick?: number | undefined;
}

/** A line of the table and of docs/benchmarks.json. */
export interface Result extends Comparison, Pick<Benchmark, "name" | "job" | "unit"> {
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

/** What a line says about itself, before anything is measured. */
export type ResultHead = Omit<Result, "measured" | "isMet" | "pairs">;

export function listLines({ name, job, unit, comparisons }: Benchmark): readonly ResultHead[] {
  return comparisons.map((comparison) => ({
    name,
    job: comparison.cpuJob ?? job,
    unit: comparison.cpuJob === undefined ? unit : "µs",
    ...comparison,
  }));
}

/**
 * A result per comparison whose side was measured. Throws when there is no round, or a figure that
 * is not a number: nothing was measured then.
 */
export function summarize(benchmark: Benchmark, rounds: readonly Round[]): readonly Result[] {
  if (rounds.length === 0) throw new Error("nothing was measured");
  return listLines(benchmark).flatMap((head) => {
    const pairs = rounds.flatMap((round) => pairOf(head, round) ?? []);
    return pairs.length === 0 ? [] : summarizePairs(head, pairs);
  });
}

function pairOf({ against, cpuJob }: ResultHead, round: Round): Pair | undefined {
  const { ours, [against]: yardstick } = round;
  if (yardstick === undefined) return undefined;
  if (cpuJob !== undefined) {
    return { ours: ours.cpuMicros ?? Number.NaN, yardstick: yardstick.cpuMicros ?? Number.NaN };
  }
  const cpuMicros = { ours: ours.cpuMicros, yardstick: yardstick.cpuMicros };
  return { ours: ours.value, yardstick: yardstick.value, cpuMicros };
}

function summarizePairs(head: ResultHead, pairs: readonly Pair[]): Result {
  const ratios = pairs.map((pair) => pair.ours / pair.yardstick);
  if (!ratios.every(Number.isFinite)) {
    throw new Error(`nothing was measured: ${JSON.stringify(pairs)}`);
  }
  const { target, oursAtMost = Number.POSITIVE_INFINITY } = head;
  const ours = median(pairs.map((pair) => pair.ours));
  const ratio = median(ratios);
  return {
    ...head,
    measured: {
      ours,
      yardstick: median(pairs.map((pair) => pair.yardstick)),
      ratio,
      ratioMin: Math.min(...ratios),
      ratioMax: Math.max(...ratios),
      cpuMicros: { ours: medianCpu("ours", pairs), yardstick: medianCpu("yardstick", pairs) },
    },
    isMet: (target === undefined || isWithin(target, ratio)) && ours <= oursAtMost,
    pairs,
  };
}

function isWithin(target: Target, ratio: number): boolean {
  return "atLeast" in target ? ratio >= target.atLeast : ratio <= target.atMost;
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
