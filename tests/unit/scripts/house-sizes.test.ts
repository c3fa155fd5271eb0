import { describe, expect, test } from "bun:test";
import { findFunctions } from "../../../scripts/house/functions.ts";
import type { Rule } from "../../../scripts/house/rule.ts";
import { sizesRule } from "../../../scripts/house/sizes.ts";

function find(rule: Rule, files: Record<string, string>): string[] {
  const sources = Object.entries(files).map(([path, text]) => ({ path, text }));
  return rule.find(sources).map(({ path, line, what }) => `${path}:${line ?? ""} ${what}`);
}

/** `count` statements, each on its line and `indent` deep. */
function statements(count: number, indent = 2): string {
  return `${" ".repeat(indent)}step();\n`.repeat(count);
}

describe("sizes", () => {
  test("a file of 400 lines is fine, one more is not", () => {
    expect(find(sizesRule, { "tests/unit/a.test.ts": statements(400, 0) })).toEqual([]);
    expect(find(sizesRule, { "tests/unit/a.test.ts": statements(401, 0) })).toEqual([
      "tests/unit/a.test.ts: has 401 lines",
    ]);
  });

  test("a function of 70 lines is fine, one more is not", () => {
    const make = (count: number) => ({
      "scripts/a.ts": `function run(): void {\n${statements(count - 2)}}\n`,
    });
    expect(find(sizesRule, make(70))).toEqual([]);
    expect(find(sizesRule, make(71))).toEqual([
      "scripts/a.ts:1 has a function of 71 lines: function run(): void {",
    ]);
  });

  test("the lines of a parameter list count", () => {
    const text = `export function run(\n  a: string,\n  b: string,\n): Promise<void> {\n${statements(67)}}\n`;
    expect(find(sizesRule, { "scripts/a.ts": text })).toHaveLength(1);
  });

  test("a describe block and a suite that only holds tests may be long", () => {
    const tests = `  test("it works", () => {});\n`.repeat(80);
    const files = {
      "tests/unit/a.test.ts": `describe("a", () => {\n${tests}});\n`,
      "tests/contract/b.ts": `export function contract(open: Open): void {\n${tests}}\n`,
    };
    expect(find(sizesRule, files)).toEqual([]);
  });

  test("a long test inside a describe block is still too long", () => {
    const text = `describe("a", () => {\n  test("long", async () => {\n${statements(70, 4)}  });\n});\n`;
    expect(find(sizesRule, { "tests/unit/a.test.ts": text })).toHaveLength(1);
  });
});

describe("functions", () => {
  test("functions, arrows, methods and accessors are found; branches and objects are not", () => {
    const text = [
      "export async function one(): Promise<void> {",
      "  if (ready) {",
      "    const two = () => {",
      "      step();",
      "    };",
      "  } else if (late) {",
      "    step();",
      "  }",
      "}",
      "class Three {",
      "  get four(): number {",
      "    return 4;",
      "  }",
      "",
      "  async #five(a: string) {",
      "    for (const b of a) {",
      "      step();",
      "    }",
      "  }",
      "}",
      "const six = {",
      "  a: 1,",
      "};",
    ].join("\n");
    expect(findFunctions(text).map(({ line, lines }) => [line, lines])).toEqual([
      [1, 9],
      [3, 3],
      [11, 3],
      [15, 5],
    ]);
  });
});
