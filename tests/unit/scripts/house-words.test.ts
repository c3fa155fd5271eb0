import { describe, expect, test } from "bun:test";
import { resolve } from "node:path";
import { checkRule, rules } from "../../../scripts/house/house.ts";
import { namesRule } from "../../../scripts/house/names.ts";
import { readSourceFiles } from "../../../scripts/house/source-files.ts";
import { wordsRule } from "../../../scripts/house/words.ts";

const offending = [
  ["a path of one machine", ["cd /wo", "rk/main"]],
  ["somebody's home directory", ["see /ro", "ot/.bashrc"]],
  ["somebody's home directory", ["in /home/", "ada/instant"]],
  ["a package registry's host", ["https://registry.np", "mjs.org/bun"]],
  ["a package registry's host", ["https://repo1.ma", "ven.org/maven2"]],
  ["a package registry's host", ["deb.deb", "ian.org"]],
  ["a task number", ["as iss", "ue 12 asks"]],
] as const;

describe("words", () => {
  for (const [what, pieces] of offending) {
    test(`"${pieces.join("·")}" is ${what}`, () => {
      const files = [{ path: "docs/a.md", text: `first\n${pieces.join("")}\n` }];
      expect(wordsRule.find(files)).toEqual([{ path: "docs/a.md", line: 2, what: `has ${what}` }]);
    });
  }

  test("words that only look alike are fine", () => {
    const text = "https://example.com/work/ src/work/er.ts nodemailer#1234 issues 10 codes\n";
    expect(wordsRule.find([{ path: "docs/a.md", text }])).toEqual([]);
  });
});

describe("names", () => {
  test("a drawer, an index and a name that is not in kebab-case are problems", () => {
    const paths = [
      "src/core/utils.ts",
      "src/email/index.ts",
      "src/types/a.ts",
      "src/core/goTime.ts",
    ];
    const found = namesRule.find(paths.map((path) => ({ path, text: "" })));
    expect(found.map(({ path }) => path)).toEqual(paths);
  });

  test("names with a kind before the ending are fine", () => {
    const files = ["tests/unit/a-b.test.ts", "src/auth/pages/inbox.client.ts", "src/core/time.ts"];
    expect(namesRule.find(files.map((path) => ({ path, text: "" })))).toEqual([]);
  });
});

describe("the house", () => {
  test("a broken rule prints the place, why it exists and what to do", () => {
    const result = checkRule(namesRule, [{ path: "src/core/utils.ts", text: "" }]);
    expect(result.passed).toBe(false);
    expect(result.report).toContain("src/core/utils.ts is named utils.ts");
    expect(result.report).toContain(`Why: ${namesRule.why}`);
    expect(result.report).toContain(`Do: ${namesRule.mend}`);
  });

  test("every rule has its own name", () => {
    expect(new Set(rules.map(({ name }) => name)).size).toBe(rules.length);
  });

  test("files that are not committed yet are read too, ignored ones are not", () => {
    const paths = readSourceFiles(resolve(import.meta.dir, "../../..")).map(({ path }) => path);
    expect(paths).toContain("package.json");
    expect(paths.some((path) => path.startsWith("node_modules/"))).toBe(false);
  });
});
