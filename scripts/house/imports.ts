import { posix } from "node:path";
import type { SourceFile } from "./rule.ts";

export interface Import {
  /** As written: "./redis.ts", "kafkajs". */
  readonly specifier: string;
  /** The imported file's path for a relative import, undefined for a package. */
  readonly target: string | undefined;
  readonly line: number;
  /** `import type`, which is gone at run time. */
  readonly typeOnly: boolean;
}

// Formatted code begins a statement at the line's start; a dynamic import may stand anywhere.
const statement = /^(?:import|export)\s+(type\s)?(?:[^"';]*?\sfrom\s+)?"([^"]+)"/gm;
const dynamic = /\bimport\(\s*"([^"]+)"/g;

/** Every import and re-export of a file, in the order of their lines. */
export function findImports(file: SourceFile): Import[] {
  const text = blankComments(file.text);
  const found: Import[] = [];
  for (const match of text.matchAll(statement)) {
    found.push(toImport(file, text, match.index, match[2] ?? "", match[1] !== undefined));
  }
  for (const match of text.matchAll(dynamic)) {
    found.push(toImport(file, text, match.index, match[1] ?? "", false));
  }
  return found.toSorted((a, b) => a.line - b.line);
}

function toImport(
  file: SourceFile,
  text: string,
  index: number,
  specifier: string,
  typeOnly: boolean,
): Import {
  const target = specifier.startsWith(".")
    ? posix.join(posix.dirname(file.path), specifier)
    : undefined;
  return { specifier, target, typeOnly, line: text.slice(0, index).split("\n").length };
}

/** Comments become blanks, so that lines keep their numbers. */
function blankComments(text: string): string {
  const blank = (comment: string) => comment.replace(/[^\n]/g, " ");
  return text.replace(/^\s*\/\*[\s\S]*?\*\//gm, blank).replace(/^\s*\/\/.*$/gm, blank);
}
