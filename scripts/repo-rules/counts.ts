/** The shape of the code in figures: whether files contain whole ideas, or slices of them. */
import { dirname } from "node:path/posix";
import type { SourceFile } from "./rules.ts";
import { findImports } from "./rules.ts";

/** Whether every figure beyond its limit fails the check, or only those of `alwaysEnforced`. */
export const limitsEnforced = true;

interface Count {
  readonly what: string;
  readonly value: number;
  readonly min?: number;
  readonly max?: number;
  readonly alwaysEnforced?: boolean;
  /** The files to report, when each of them is one too many. */
  readonly files?: readonly string[];
}

/** Each figure with its limit. Lines are those of TypeScript unless it says otherwise. */
export function countCode(files: readonly SourceFile[]): Count[] {
  const typescript = files.filter(({ path }) => /\.tsx?$/.test(path));
  const src = typescript.filter(({ path }) => path.startsWith("src/"));
  const scripts = typescript.filter(({ path }) => path.startsWith("scripts/"));
  const slices = findSlices(src);
  const long = files.filter(
    (file) => /^(src|scripts|tests|support)\//.test(file.path) && countLines(file) > 400,
  );
  const importLines = src.reduce((sum, file) => sum + countImportLines(file), 0);
  return [
    { what: "files in src", value: src.length, max: 260 },
    { what: "median lines", value: findMedian(src.map(countLines)), min: 95 },
    { what: "% imports", value: (100 * importLines) / countAllLines(src), max: 5 },
    { what: "slices of their only importer", value: slices.length, max: 0, files: slices },
    {
      what: "files over 400 lines (of any kind)",
      value: long.length,
      max: 0,
      alwaysEnforced: true,
      files: long.map(({ path }) => path),
    },
    { what: "lines of src", value: countAllLines(src), max: 45_000 },
    { what: "lines of scripts", value: countAllLines(scripts), max: 6_200 },
  ];
}

/** Files under 40 lines that only one file of src imports, which is in the same folder. */
function findSlices(src: readonly SourceFile[]): string[] {
  const importers = new Map<string, Set<string>>();
  for (const file of src) {
    for (const { target } of findImports(file)) {
      importers.set(target, (importers.get(target) ?? new Set()).add(file.path));
    }
  }
  return src.flatMap((file) => {
    const [only, ...others] = importers.get(file.path) ?? [];
    const isSlice =
      only !== undefined && others.length === 0 && dirname(only) === dirname(file.path);
    return isSlice && countLines(file) < 40 ? [`${file.path} (of ${only})`] : [];
  });
}

/** "446 files in src (at most 260!), …": a figure beyond its limit has an exclamation mark. */
export function summarize(counts: readonly Count[]): string {
  return counts
    .map((count) => {
      const limit = count.min === undefined ? `at most ${count.max}` : `at least ${count.min}`;
      const value = Number(count.value.toFixed(1));
      return `${value} ${count.what} (${limit}${isBeyond(count) ? "!" : ""})`;
    })
    .join(", ");
}

export function isBeyond({ value, min, max }: Count): boolean {
  return value < (min ?? -Infinity) || value > (max ?? Infinity);
}

function countLines({ text }: SourceFile): number {
  return text.replace(/\n$/, "").split("\n").length;
}

function countAllLines(files: readonly SourceFile[]): number {
  return files.reduce((sum, file) => sum + countLines(file), 0);
}

function countImportLines({ text }: SourceFile): number {
  const statements = text.match(/^import\s[^"';]*(?:"[^"]+")[^;]*;$/gm) ?? [];
  return statements.reduce((sum, statement) => sum + statement.split("\n").length, 0);
}

function findMedian(values: readonly number[]): number {
  return values.toSorted((a, b) => a - b)[Math.floor(values.length / 2)] ?? 0;
}
