/**
 * Calls `act` `calls` times at a steady rate, whatever becomes of the calls before: a caller that
 * waited for a slow answer would not see how slow it is to the others. Resolves after the last call.
 */
export async function openLoop(perSecond: number, calls: number, act: () => void): Promise<void> {
  const startedAt = performance.now();
  for (let number = 0; number < calls; number += 1) {
    const dueMs = startedAt + (number * 1000) / perSecond - performance.now();
    if (dueMs > 0) await Bun.sleep(dueMs);
    act();
  }
}

/** The value below which `share` of all lie. */
export function percentile(values: readonly number[], share: number): number {
  const sorted = values.toSorted((a, b) => a - b);
  return sorted[Math.min(sorted.length - 1, Math.floor(sorted.length * share))] ?? Number.NaN;
}
