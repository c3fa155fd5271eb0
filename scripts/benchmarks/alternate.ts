import type { Pair } from "./benchmark.ts";

/** What one run of one side showed: in the row's unit, and CPU time for each mail or request. */
export interface Measured {
  readonly value: number;
  readonly cpuMicros?: number;
}

export interface Sides {
  readonly ours: () => Promise<Measured>;
  readonly yardstick: () => Promise<Measured>;
}

/**
 * Measures both sides `pairs` times, one after the other, never at once. Ours goes first in every
 * other pair: a machine that grows warm, or busy, then harms both alike.
 */
export async function alternate(pairs: number, { ours, yardstick }: Sides): Promise<Pair[]> {
  const measured: Pair[] = [];
  for (let round = 0; round < pairs; round += 1) {
    if (round % 2 === 0) {
      const first = await ours();
      measured.push(pairOf(first, await yardstick()));
    } else {
      const first = await yardstick();
      measured.push(pairOf(await ours(), first));
    }
  }
  return measured;
}

function pairOf(ours: Measured, yardstick: Measured): Pair {
  const cpuMicros = {
    ...(ours.cpuMicros === undefined ? {} : { ours: ours.cpuMicros }),
    ...(yardstick.cpuMicros === undefined ? {} : { yardstick: yardstick.cpuMicros }),
  };
  return { ours: ours.value, yardstick: yardstick.value, cpuMicros };
}
