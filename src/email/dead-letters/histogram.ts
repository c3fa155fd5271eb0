import type { Letter, SkipReason } from "./selection.ts";

/** Per class ("unknown" when a letter does not say): how many, and what becomes of them. */
export type Histogram = Map<string, ClassCount>;
export interface ClassCount {
  letters: number;
  replay: number;
  readonly skipped: Map<SkipReason, number>;
}

export interface Judged {
  readonly letter: Letter;
  /** Undefined: it is put back. */
  readonly skip: SkipReason | undefined;
}

/** The first `limit` letters to put back; counts them, and those that are skipped before the last. */
export function takeLetters(
  judged: readonly Judged[],
  limit: number,
  histogram: Histogram,
): readonly Letter[] {
  const taken: Letter[] = [];
  for (const { letter, skip } of judged) {
    if (taken.length === limit) break;
    const count = countOf(histogram, letter.facts.class ?? "unknown");
    count.letters += 1;
    if (skip === undefined) {
      count.replay += 1;
      taken.push(letter);
    } else {
      count.skipped.set(skip, (count.skipped.get(skip) ?? 0) + 1);
    }
  }
  return taken;
}

function countOf(histogram: Histogram, name: string): ClassCount {
  const known = histogram.get(name);
  if (known !== undefined) return known;
  const fresh: ClassCount = { letters: 0, replay: 0, skipped: new Map() };
  histogram.set(name, fresh);
  return fresh;
}
