import { replaceBetween } from "../documents/marked.ts";
import type { Scale } from "./benchmark.ts";
import type { Result } from "./result.ts";

/** Which part of the page: the table of the rows, or where the time goes. */
export type Place = "scripts/bench" | "scripts/bench --profile";

/** docs/benchmarks.json: what was measured last, for each scale. */
export type Recorded = Readonly<Record<Scale, readonly Result[]>>;

export const nothingRecorded: Recorded = { full: [], quick: [] };

/** The page with `text` between its two marks. Throws when it has not both of them, in order. */
export function replaceMeasured(
  page: string,
  text: string,
  place: Place = "scripts/bench",
): string {
  const marks = [`<!-- ${place} writes from here -->`, `<!-- ${place} to here -->`] as const;
  return replaceBetween(page, marks, `\n${text}\n`);
}

/**
 * What is recorded, with these results in place of the earlier ones of the same rows. In the order
 * of `names`; rows that are no longer there go.
 */
export function record(
  earlier: Recorded,
  scale: Scale,
  results: readonly Result[],
  names: readonly string[],
): Recorded {
  const byName = new Map([...earlier[scale], ...results].map((result) => [result.name, result]));
  return { ...earlier, [scale]: names.flatMap((name) => byName.get(name) ?? []) };
}
