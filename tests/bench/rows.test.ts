/**
 * The rows of docs/benchmarks.md, measured again in small by the same code: each side by turns, in
 * this run, on this machine. What is compared with the commit is the ratio alone.
 */
import { afterAll, describe, expect, test } from "bun:test";
import { resolve } from "node:path";
import { isFarWorse, readRecorded } from "../../scripts/benchmarks/committed.ts";
import { summarize } from "../../scripts/benchmarks/result.ts";
import { benchmarks } from "../../scripts/benchmarks/rows.ts";
import { openStage } from "../../scripts/benchmarks/stage.ts";
import { findEngine } from "../../support/engines.ts";

const engines = ["kafka", "redis", "postgres", "postfix", "instant"] as const;
const complete = engines.map(findEngine).every((engine) => engine !== undefined);
const quick = benchmarks.filter(({ inQuick }) => inQuick);
const recorded = readRecorded(resolve(import.meta.dir, "../.."));
/** One run of a small row may meet whatever else the machine does: a real loss shows in each. */
const runsMax = 3;

describe.skipIf(!complete)("against its yardstick, in the same run,", () => {
  const stage = openStage(() => {});
  afterAll(() => stage[Symbol.asyncDispose]());

  test.each(quick.map((benchmark) => [benchmark.job, benchmark] as const))(
    "%s keeps at least half of the committed ratio",
    async (_, benchmark) => {
      const committed = recorded.quick.find(({ name }) => name === benchmark.name);
      if (committed === undefined) throw new Error("scripts/bench --quick --write records it");
      const { target } = benchmark;
      const ratios: number[] = [];
      const isFar = (ratio: number) => isFarWorse(target, ratio, committed.measured.ratio);
      while (ratios.every(isFar) && ratios.length < runsMax) {
        const result = summarize(benchmark, await benchmark.measure(stage, "quick"));
        ratios.push(result.measured.ratio);
      }
      const { ratio } = committed.measured;
      expect({ ratios, committed: ratio, worse: ratios.every(isFar) }).toMatchObject({
        worse: false,
      });
    },
  );
});
