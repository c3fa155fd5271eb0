import type { SeededRandom } from "./seeded-random.ts";

/** Durations in ms of two things that were timed by turns: `left[n]` and `right[n]` are neighbours. */
export interface PairedTimes {
  readonly left: Float64Array;
  readonly right: Float64Array;
}

export interface TimeJudgement {
  readonly leftP50Ms: number;
  readonly rightP50Ms: number;
  /** Of the medians, right less left. */
  readonly differenceMs: number;
  /** The largest difference that chance made; see `judgeTimes`. */
  readonly noiseMs: number;
  readonly apart: boolean;
}

const shufflesCount = 999;

/**
 * Whether two things take different times, by a permutation test on their medians. If they do not,
 * it does not matter which of two neighbours is called left: so each pair is swapped or not by the
 * toss of a coin, 999 times over, and the largest difference of the medians that comes out is what
 * the noise of this machine in this run can do. A real difference beyond all of those is `apart`;
 * two things that are alike come out so once in 1,000 times.
 */
export function judgeTimes({ left, right }: PairedTimes, random: SeededRandom): TimeJudgement {
  const leftP50Ms = medianOf(left);
  const rightP50Ms = medianOf(right);
  let noiseMs = 0;
  for (let shuffle = 0; shuffle < shufflesCount; shuffle += 1) {
    const [one, other] = [left.slice(), right.slice()];
    for (const [index, value] of left.entries()) {
      if (!random.chance(0.5)) continue;
      one[index] = right[index] ?? 0;
      other[index] = value;
    }
    noiseMs = Math.max(noiseMs, Math.abs(medianOf(one) - medianOf(other)));
  }
  const differenceMs = rightP50Ms - leftP50Ms;
  return { leftP50Ms, rightP50Ms, differenceMs, noiseMs, apart: Math.abs(differenceMs) > noiseMs };
}

function medianOf(values: Float64Array): number {
  const sorted = values.toSorted();
  const half = sorted.length >> 1;
  const upper = sorted[half] ?? 0;
  return sorted.length % 2 === 1 ? upper : ((sorted[half - 1] ?? 0) + upper) / 2;
}
