/**
 * The budgets of codes. With the defaults, whatever somebody does who knows an address: never more
 * than 5 guesses in 15 min, so at most 20 in an hour, over all codes and resends. A code is good for
 * 10 min and so meets at most 5 of them; 5 codes an hour make 25 chances in a million an hour, or 1
 * in 1,667 in a day. The address gets at most 5 different mails an hour, and its owner cannot sign
 * in while it is locked: an hour at a time, at worst.
 */
export interface CodePolicy {
  /** How long a code is good: 10 min. */
  readonly lifetimeMs: number;
  /** How long asking again gives the same message: 60 s, */
  readonly repeatWindowMs: number;
  /** at most 5 times. */
  readonly repeatsMax: number;
  /** New codes per address: 5 … */
  readonly codesMax: number;
  /** … in any hour. */
  readonly codesWindowMs: number;
  /** Wrong tries per address: 5 … */
  readonly triesMax: number;
  /** … in any 15 min; the last of them locks the address, */
  readonly triesWindowMs: number;
  /** for 15 min the first time, doubled each further time */
  readonly lockMs: number;
  /** up to an hour. */
  readonly lockMsMax: number;
  /** A right code, or this long without a lock (24 h), starts with the short lock again. */
  readonly lockMemoryMs: number;
}

export const codePolicyDefault: CodePolicy = {
  lifetimeMs: 600_000,
  repeatWindowMs: 60_000,
  repeatsMax: 5,
  codesMax: 5,
  codesWindowMs: 3_600_000,
  triesMax: 5,
  triesWindowMs: 900_000,
  lockMs: 900_000,
  lockMsMax: 3_600_000,
  lockMemoryMs: 86_400_000,
};

const keptCodesMax = 20;

/**
 * Live codes kept per address: as many as it may be sent in a window, so that no guess ever meets
 * more, also while codes whose mail nobody takes cost nothing. At most 20, for the size of it all.
 */
export function liveCodesMax({ codesMax }: CodePolicy): number {
  return Math.min(codesMax, keptCodesMax);
}
