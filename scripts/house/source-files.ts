import { readFileSync } from "node:fs";
import { join } from "node:path";
import type { SourceFile } from "./rule.ts";

/**
 * Every text file that git tracks or would add, so that a rule speaks before the commit. A file
 * that is deleted but still tracked, and one with a zero byte in it, is left out.
 */
export function readSourceFiles(repository: string): SourceFile[] {
  const list = Bun.spawnSync(
    ["git", "ls-files", "-z", "--cached", "--others", "--exclude-standard"],
    { cwd: repository },
  );
  if (!list.success) throw new Error(`git ls-files failed: ${list.stderr.toString()}`);
  const paths = list.stdout.toString().split("\0").filter(Boolean).toSorted();
  return paths.flatMap((path) => {
    const text = readText(join(repository, path));
    return text === undefined || text.includes("\0") ? [] : [{ path, text }];
  });
}

function readText(path: string): string | undefined {
  try {
    return readFileSync(path, "utf8");
  } catch {
    return undefined; // deleted, or a directory that a submodule or link stands for
  }
}
