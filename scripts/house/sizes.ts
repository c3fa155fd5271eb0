import { findFunctions } from "./functions.ts";
import type { Problem, Rule, SourceFile } from "./rule.ts";
import { countLines, isTypeScript, isUnder } from "./rule.ts";

const fileLinesMax = 240;
const functionLinesMax = 70;
const medianLinesMax = 85;

export const sizesRule: Rule = {
  name: "sizes",
  why: `A file is one idea and a function one thing, small enough to be held in the head: at most ${fileLinesMax} lines a file, ${functionLinesMax} a function, and half of src below ${medianLinesMax}.`,
  mend: "Find the second idea and give it a file with its own name; do not pack lines. A describe block, or a suite that only holds tests, may be longer than a function.",
  find: (files) => {
    const sized = files.filter(
      ({ path }) => isUnder(path, "src") || isUnder(path, "tests") || isUnder(path, "scripts"),
    );
    const code = sized.filter(isTypeScript);
    return [...sized.flatMap(checkFile), ...code.flatMap(checkFunctions), ...checkMedian(code)];
  },
};

function checkFile(file: SourceFile): Problem[] {
  const lines = countLines(file.text);
  return lines <= fileLinesMax ? [] : [{ path: file.path, what: `has ${lines} lines` }];
}

function checkFunctions(file: SourceFile): Problem[] {
  return findFunctions(file.text)
    .filter((found) => found.lines > functionLinesMax && !found.holdsTests)
    .map(({ line, lines, head }) => ({
      path: file.path,
      line,
      what: `has a function of ${lines} lines: ${head}`,
    }));
}

function checkMedian(code: readonly SourceFile[]): Problem[] {
  const sizes = code
    .filter((file) => isUnder(file.path, "src"))
    .map((file) => countLines(file.text))
    .toSorted((a, b) => a - b);
  const median = sizes[Math.floor(sizes.length / 2)] ?? 0;
  if (median <= medianLinesMax) return [];
  return [{ path: "src", what: `has a median of ${median} lines a file` }];
}
