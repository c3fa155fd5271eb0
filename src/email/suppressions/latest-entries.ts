import type { Suppression } from "./suppression-store.ts";
import { noteCharsMax } from "./suppression-store.ts";

/**
 * What of a list is worth writing: per address the entry that ends last, without those that have
 * ended. So no statement meets one row twice.
 */
export function latestEntries(entries: readonly Suppression[], now: number): Suppression[] {
  const latest = new Map<string, Suppression>();
  for (const entry of entries) {
    const known = latest.get(entry.key);
    if (endOf(entry) <= now || (known !== undefined && endOf(known) >= endOf(entry))) continue;
    latest.set(entry.key, { ...entry, note: entry.note?.slice(0, noteCharsMax) });
  }
  return [...latest.values()];
}

function endOf({ expiresAt }: Suppression): number {
  return expiresAt ?? Number.POSITIVE_INFINITY;
}
