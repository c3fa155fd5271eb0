import { findFunctions } from "./functions.ts";
import type { Problem, Rule, SourceFile } from "./rule.ts";
import { countLines, isTypeScript, isUnder } from "./rule.ts";

const fileLinesMax = 400;
const functionLinesMax = 70;

export const sizesRule: Rule = {
  name: "sizes",
  why: `A file is one idea, whole, and a function one thing: at most ${fileLinesMax} lines a file, ${functionLinesMax} a function.`,
  mend: "Move the second idea to a file of its own name; do not pack lines. A describe block, or a suite that only holds tests, may be longer than a function.",
  find: (files) => {
    const sized = files.filter(
      ({ path }) => isUnder(path, "src") || isUnder(path, "tests") || isUnder(path, "scripts"),
    );
    const code = sized.filter(isTypeScript);
    return [...sized.flatMap(checkFile), ...code.flatMap(checkFunctions)];
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
