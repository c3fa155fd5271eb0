import { readFileSync } from "node:fs";
import { join } from "node:path";
import type { Target } from "./benchmark.ts";
import type { Recorded } from "./page.ts";

/** docs/benchmarks.json as it is committed. */
export function readRecorded(repository: string): Recorded {
  return JSON.parse(readFileSync(join(repository, "docs/benchmarks.json"), "utf8")) as Recorded;
}

/**
 * Whether a ratio is so far from the committed one that no noise explains it: less than half of it,
 * or where less is better more than twice as much.
 */
export function isFarWorse(target: Target, ratio: number, committed: number): boolean {
  return "atLeast" in target ? ratio < committed / 2 : ratio > committed * 2;
}
