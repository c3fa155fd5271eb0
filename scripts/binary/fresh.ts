import { readdirSync, statSync } from "node:fs";
import { join } from "node:path";

/**
 * Whether `product` exists and nothing under `sources` changed after it. A folder counts too: its
 * time tells of a file that was deleted. A source that does not exist is ignored.
 */
export function isFresh(product: string, sources: readonly string[]): boolean {
  const madeAt = modifiedAt(product);
  if (madeAt === undefined) return false;
  return sources.every((source) => (newestUnder(source) ?? 0) <= madeAt);
}

function newestUnder(path: string): number | undefined {
  const own = modifiedAt(path);
  if (own === undefined) return undefined;
  if (!statSync(path).isDirectory()) return own;
  const times = readdirSync(path).map((name) => newestUnder(join(path, name)) ?? 0);
  return Math.max(own, ...times);
}

function modifiedAt(path: string): number | undefined {
  return statSync(path, { throwIfNoEntry: false })?.mtimeMs;
}
