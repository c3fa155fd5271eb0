/** A function found in formatted code: where it begins, how many lines it has, how it begins. */
export interface FoundFunction {
  readonly line: number;
  readonly lines: number;
  readonly head: string;
  /** It holds tests: `describe(…)`, or a contract suite with `test(…)` or `describe(…)` inside. */
  readonly holdsTests: boolean;
}

const control = /^(?:\} )?(?:else|if|for|while|switch|catch|do|try|finally|return switch)\b/;
const opensFunction = /=> \{$|\) \{$|\)(?:: .+)? \{$/;

/**
 * Finds functions by indentation: in code that Biome formatted, the line that opens a body ends
 * with "{" and its "}" is the next line that begins as far left. TypeScript 7 offers no stable
 * parser to scripts; this needs none, and is right for what the formatter can write.
 */
export function findFunctions(text: string): FoundFunction[] {
  const lines = text.split("\n");
  const found: FoundFunction[] = [];
  for (const [index, line] of lines.entries()) {
    if (!opensFunction.test(line)) continue;
    const indent = indentOf(line);
    const first = findHead(lines, index, indent);
    const head = (lines[first] ?? "").trim();
    if (control.test(head) || head.startsWith("//") || head.startsWith("*")) continue;
    const last = lines.findIndex(
      (other, at) => at > index && other.trim() !== "" && indentOf(other) <= indent,
    );
    if (last === -1) continue;
    const body = lines.slice(index + 1, last);
    const holdsTests = isTestHolder(head, body, indent);
    found.push({ line: first + 1, lines: last - first + 1, head, holdsTests });
  }
  return found;
}

/** The line where the statement begins: a body opened by `): T {` began where `name(` stands. */
function findHead(lines: readonly string[], index: number, indent: number): number {
  let at = index;
  if (!/^\s*[)\]}]/.test(lines[at] ?? "")) return at;
  do at -= 1;
  while (at > 0 && (indentOf(lines[at] ?? "") > indent || lines[at]?.trim() === ""));
  return at;
}

function isTestHolder(head: string, body: readonly string[], indent: number): boolean {
  if (/^describe\b/.test(head)) return true;
  const inside = new RegExp(`^ {${indent + 2}}(?:test|it|describe)\\b`);
  return body.some((line) => inside.test(line));
}

function indentOf(line: string): number {
  return line.length - line.trimStart().length;
}
