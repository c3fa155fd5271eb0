export interface Counts {
  readonly passed: number;
  readonly failed: number;
  readonly skipped: number;
}

/**
 * Reads the counts that `bun test` prints at its end (on stderr, one to a line). Undefined when
 * there are none: the process died before its end. A file that fails to load counts as failed.
 */
export function parseSummary(stderr: string): Counts | undefined {
  // biome-ignore lint/suspicious/noControlCharactersInRegex: colours begin with one
  const plain = stderr.replace(/\u001b\[[0-9;]*m/g, "");
  // The last block only: a test may itself have run tests and shown theirs.
  const begin = plain.search(/^ *\d+ pass$(?![\s\S]*^ *\d+ pass$)/m);
  if (begin === -1) return undefined;
  const counts = new Map<string, number>();
  for (const match of plain.slice(begin).matchAll(/^ *(\d+) (pass|fail|skip|todo|error)s?$/gm)) {
    counts.set(match[2] ?? "", Number(match[1]));
  }
  return {
    passed: counts.get("pass") ?? 0,
    failed: Math.max(counts.get("fail") ?? 0, counts.get("error") ?? 0),
    skipped: (counts.get("skip") ?? 0) + (counts.get("todo") ?? 0),
  };
}
