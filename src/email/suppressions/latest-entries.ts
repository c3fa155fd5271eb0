import type { Suppression } from "./suppression-store.ts";
import { noteCharsMax } from "./suppression-store.ts";

/**
 * What of a list is worth writing: per address the entry that ends last, without those that have
 * ended. So no statement meets one row twice. Notes come out bounded, without control characters.
 */
export function latestEntries(entries: readonly Suppression[], now: number): Suppression[] {
  const latest = new Map<string, Suppression>();
  for (const entry of entries) {
    const known = latest.get(entry.key);
    if (endOf(entry) <= now || (known !== undefined && endOf(known) >= endOf(entry))) continue;
    latest.set(entry.key, { ...entry, note: printable(entry.note) });
  }
  return [...latest.values()];
}

/** Notes are shown on terminals. */
function printable(note: string | undefined): string | undefined {
  return note?.replace(/\p{Cc}+/gu, " ").slice(0, noteCharsMax);
}

function endOf({ expiresAt }: Suppression): number {
  return expiresAt ?? Number.POSITIVE_INFINITY;
}
