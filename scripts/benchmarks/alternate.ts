import type { Pair } from "./benchmark.ts";

/** What one run of one side showed: in the row's unit, and CPU time for each mail or request. */
export interface Measured {
  readonly value: number;
  readonly cpuMicros?: number;
}

export interface Sides {
  readonly ours: () => Promise<Measured>;
  readonly yardstick: () => Promise<Measured>;
  /** Is told each pair, where a row takes minutes. */
  readonly print?: (line: string) => void;
}

/**
 * Measures both sides `pairs` times, one after the other, never at once. Ours goes first in every
 * other pair: a machine that grows warm, or busy, then harms both alike.
 */
export async function alternate(pairs: number, sides: Sides): Promise<Pair[]> {
  const measured: Pair[] = [];
  for (let round = 0; round < pairs; round += 1) {
    const pair = await measurePair(sides, round % 2 === 0);
    measured.push(pair);
    const ratio = (pair.ours / pair.yardstick).toFixed(3);
    sides.print?.(`  ${round + 1} of ${pairs}: ${ratio}×`);
  }
  return measured;
}

async function measurePair({ ours, yardstick }: Sides, isOursFirst: boolean): Promise<Pair> {
  if (isOursFirst) {
    const first = await ours();
    return pairOf(first, await yardstick());
  }
  const first = await yardstick();
  return pairOf(await ours(), first);
}

function pairOf(ours: Measured, yardstick: Measured): Pair {
  const cpuMicros = {
    ...(ours.cpuMicros === undefined ? {} : { ours: ours.cpuMicros }),
    ...(yardstick.cpuMicros === undefined ? {} : { yardstick: yardstick.cpuMicros }),
  };
  return { ours: ours.value, yardstick: yardstick.value, cpuMicros };
}
