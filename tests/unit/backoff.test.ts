import { expect, test } from "bun:test";
import { backoffMs } from "../../src/core/time.ts";

test("the delay doubles with each failed attempt, up to its maximum", () => {
  const backoff = { delayMsMin: 1000, delayMsMax: 5000 };
  const attempts = [1, 2, 3, 4, 5, 2000];
  expect(attempts.map((attempt) => backoffMs(attempt, backoff))).toEqual([
    1000, 2000, 4000, 5000, 5000, 5000,
  ]);
});

test("jitter spreads the delay to both sides, also the longest one", () => {
  const backoff = { delayMsMin: 1000, delayMsMax: 5000, jitter: 0.2 };
  const spread = (attempt: number) => [0, 0.5, 1].map((at) => backoffMs(attempt, backoff, at));
  expect(spread(1)).toEqual([800, 1000, 1200]);
  expect(spread(9)).toEqual([4000, 5000, 6000]);
});
