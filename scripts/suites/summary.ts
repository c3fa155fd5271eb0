const errorCharsMax = 300;

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
  const plain = withoutColours(stderr);
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

/**
 * A line for each test that failed: its name, and the beginning of its error. `bun test` shows
 * the error first, then "(fail) name [ms]", and the names once more at its end.
 */
export function describeFailures(stderr: string): string[] {
  const failures = new Map<string, string>();
  let error = "";
  for (const line of withoutColours(stderr).split("\n")) {
    const [, verdict, name = ""] = /^\((pass|fail)\) (.+?)(?: \[[\d.]+ms\])?$/.exec(line) ?? [];
    if (verdict === "fail" && !failures.has(name)) failures.set(name, error);
    if (verdict !== undefined) error = "";
    else if (line.startsWith("error: ")) error = line;
    else if (error !== "" && line !== "") error = `${error} ${line.trim()}`.slice(0, errorCharsMax);
  }
  return [...failures].map(([name, text]) => (text === "" ? name : `${name}: ${text}`));
}

function withoutColours(text: string): string {
  // biome-ignore lint/suspicious/noControlCharactersInRegex: colours begin with one
  return text.replace(/\u001b\[[0-9;]*m/g, "");
}
