/** Each rule of scripts/check, crossed in a sample tree: it fails there, and says why it exists. */
import { describe, expect, test } from "bun:test";
import { copyFileSync, mkdirSync, symlinkSync, writeFileSync } from "node:fs";
import { dirname, join, resolve } from "node:path";
import {
  checkBiome,
  checkCounts,
  checkRules,
  readSourceFiles,
} from "../../../scripts/repo-rules/check.ts";
import { findImports } from "../../../scripts/repo-rules/rules.ts";
import { temporaryDirectory } from "../../../support/temporary-directory.ts";

const repository = resolve(import.meta.dir, "../../..");

type Tree = Readonly<Record<string, string>>;

function imports(specifier: string): string {
  return `import { value as other } from "${specifier}";\n\nexport const value = other;\n`;
}

function importsType(specifier: string): string {
  return `import type { A } from "${specifier}";\n\nexport type B = A;\nexport const value = 1;\n`;
}

function statements(count: number, indent = 2): string {
  return `${" ".repeat(indent)}step();\n`.repeat(count);
}

/** What Biome says of a tree that has this repository's biome.json. */
async function runBiome(tree: Tree) {
  using directory = temporaryDirectory();
  for (const [path, text] of Object.entries({ ...tree, ".gitignore": "node_modules/\n" })) {
    mkdirSync(dirname(join(directory.path, path)), { recursive: true });
    writeFileSync(join(directory.path, path), text);
  }
  copyFileSync(join(repository, "biome.json"), join(directory.path, "biome.json"));
  symlinkSync(join(repository, "node_modules"), join(directory.path, "node_modules"));
  return await checkBiome(directory.path);
}

/** What our own rules say of a tree, by their names. */
function runRules(tree: Tree): Record<string, string> {
  const files = Object.entries(tree).map(([path, text]) => ({ path, text }));
  const broken = checkRules(files).filter(({ passed }) => !passed);
  return Object.fromEntries(broken.map(({ name, report }) => [name, report]));
}

const layers = "Imports go down only: main → commands → compose → doctor, auth, email → core.";

/** The rule that is crossed, the tree, and a part of the sentence that explains it. */
const crossings: [string, Tree, string][] = [
  ["core knows no domain", { "src/core/log.ts": imports("../email/event.ts") }, layers],
  ["email never imports auth", { "src/email/a.ts": imports("../auth/users/user.ts") }, layers],
  ["doctor knows no domain", { "src/doctor/a.ts": imports("../email/worker.ts") }, layers],
  [
    "auth knows little of email",
    { "src/auth/a.ts": imports("../email/worker.ts") },
    "the port that",
  ],
  ["compose knows no command", { "src/compose/a.ts": imports("../commands/dev.ts") }, layers],
  ["nothing imports main", { "src/commands/a.ts": imports("../main.ts") }, layers],
  ["src imports no support", { "src/main.ts": imports("../support/eventually.ts") }, layers],
  ["scripts import no tests", { "scripts/a.ts": imports("../tests/flows/a.ts") }, "into support"],
  ["support imports no scripts", { "support/a.ts": imports("../scripts/a.ts") }, "imports neither"],
  ["a type is an import too", { "src/core/a.ts": importsType("../auth/a.ts") }, layers],
  ["a dynamic import too", { "src/core/a.ts": `await import("../auth/a.ts");\n` }, layers],
  [
    "no circles, not even of types",
    { "src/core/a.ts": imports("./b.ts"), "src/core/b.ts": importsType("./a.ts") },
    "understood, moved and initialised together",
  ],
  ["names in kebab-case", { "src/core/goTime.ts": "export const a = 1;\n" }, "says what is inside"],
  ["no file called utils", { "src/core/utils.ts": "export const a = 1;\n" }, "Files called utils"],
  ["no folder called types", { "src/core/types/a.ts": "export const a = 1;\n" }, "Files called"],
  ["no index", { "tests/unit/index.ts": "export const a = 1;\n" }, "an index hides"],
  ["no unknown layer", { "src/shop/cart.ts": "export const a = 1;\n" }, "only the layers"],
  ["a file of 401 lines", { "tests/unit/a.test.ts": statements(401, 0) }, "one idea, whole"],
  ["a function of 71 lines", { "scripts/a.ts": makeFunction(71) }, "A function does one thing"],
  ["a test of 46 statements", { "tests/unit/a.test.ts": makeTest(46) }, "one behaviour"],
];

/** What is as near to the rules as can be, and fine. */
const allowed: Tree = {
  "src/main.ts": imports("./commands/dev.ts"),
  "src/commands/dev.ts": imports("../compose/auth.ts"),
  "src/compose/auth.ts": imports("../auth/pages/code-step.tsx"),
  "src/auth/a.ts": imports("../email/event.ts"),
  "src/auth/b.ts": imports("../email/publisher.ts"),
  "src/auth/pages/inbox.client.ts": imports("../../core/log.ts"),
  "src/email/ledger/a.ts": imports("../dead-letters/replay.ts"),
  "tests/unit/a-b.test.ts": imports("../../scripts/bench/rows.ts"),
  "tests/contract/a.ts": makeSuite(),
  "tests/unit/c.test.ts": makeTest(45),
  "scripts/bench/a.ts": makeFunction(70),
  "support/a.ts": statements(400, 0),
};

function makeFunction(lines: number): string {
  return `export function run(step: () => void): void {\n${statements(lines - 2)}}\n`;
}

function makeTest(count: number): string {
  return `test("a", () => {\n${statements(count)}});\n`;
}

/** 40 tests of three lines each. */
function makeSuite(): string {
  const tests = `  test("a", () => {\n    step();\n  });\n`.repeat(40);
  return `export function contract(): void {\n${tests}}\n`;
}

describe("biome.json", () => {
  test.each(crossings)("%s", async (_, tree, why) => {
    const { passed, report } = await runBiome(tree);
    expect(passed).toBe(false);
    expect(report).toContain(why);
    expect(report).toContain(Object.keys(tree)[0] ?? "");
  });

  test("code close to the limits passes", async () => {
    const { passed, report } = await runBiome(allowed);
    expect({ passed, report: passed ? "" : report }).toEqual({ passed: true, report: "" });
  });
});

describe("clients", () => {
  test("a client is imported in its home only, subpaths and types included", () => {
    const report = runRules({
      "src/email/event-log/kafka/client.ts": imports("kafkajs"),
      "src/email/event-log/lag.ts": importsType("kafkajs"),
      "src/core/http/a.ts": imports("nodemailer/lib/qp"),
      "src/core/http/log.ts": imports("pino"),
    })["clients"];
    expect(report).toContain("src/email/event-log/lag.ts imports kafkajs, whose home is src/");
    expect(report).toContain("src/core/http/a.ts imports nodemailer/lib/qp, whose home is");
    expect(report).toContain("src/core/http/log.ts imports pino, whose home is src/core/log.ts");
    expect(report).toContain("Why: A client package has one home");
    expect(report).not.toContain("src/email/event-log/kafka/client.ts");
  });

  test("a package without a row has no home yet", () => {
    const report = runRules({ "src/core/a.ts": imports("left-pad") })["clients"];
    expect(report).toContain("whose home is nowhere yet");
  });

  test("only an SQLite adapter may import types of bun:sqlite", () => {
    const report = runRules({
      "src/email/ledger/sqlite-rows.ts": importsType("bun:sqlite"),
      "src/email/ledger/delivery-ledger.ts": importsType("bun:sqlite"),
      "src/auth/codes/sqlite.ts": imports("bun:sqlite"),
    })["clients"];
    expect(report).not.toContain("sqlite-rows.ts");
    expect(report).toContain("src/email/ledger/delivery-ledger.ts imports bun:sqlite");
    expect(report).toContain("src/auth/codes/sqlite.ts imports bun:sqlite");
  });
});

describe("adapters", () => {
  test("only compose and its own module import an adapter", () => {
    const report = runRules({
      "src/email/ledger/redis.ts": imports("./redis-swap.lua"),
      "src/email/ledger/redis-swap.lua": "",
      "src/email/event-log/kafka.ts": imports("./kafka/client.ts"),
      "src/email/event-log/kafka/client.ts": imports("kafkajs"),
      "src/email/event-log/kafka/errors.ts": "",
      "src/compose/email.ts": imports("../email/ledger/redis.ts"),
      "src/email/worker.ts": imports("./ledger/redis.ts"),
      "src/email/lag.ts": imports("./event-log/kafka/client.ts"),
      "src/email/reasons.ts": imports("./event-log/kafka/errors.ts"),
    })["adapters"];
    expect(report?.split("\n").map((line) => line.trim())).toEqual([
      "",
      "src/email/worker.ts imports adapter src/email/ledger/redis.ts",
      "src/email/lag.ts imports adapter src/email/event-log/kafka/client.ts",
      expect.stringContaining("Why: Only compose imports adapters"),
    ]);
  });

  test("a page about the inbox and the core's own clients are no adapters", () => {
    const files = {
      "src/email/inbox-routes.ts": imports("./pages/inbox.tsx"),
      "src/email/pages/inbox.tsx": "",
      "src/email/ledger/redis.ts": imports("../../core/redis/client.ts"),
      "src/core/redis/client.ts": imports("ioredis"),
    };
    expect(runRules(files)).toEqual({});
  });
});

describe("words", () => {
  test.each([
    ["a path of one machine", "cd /wo", "rk/main"],
    ["a home directory", "see /ro", "ot/.bashrc"],
    ["a home directory", "in /home/", "ada/instant"],
    ["a registry's host", "https://registry.np", "mjs.org/bun"],
    ["a registry's host", "https://repo1.ma", "ven.org/maven2"],
    ["a registry's host", "deb.deb", "ian.org"],
    ["a task number", "as iss", "ue 12 asks"],
  ])("%s is found: %s·%s", (what, start, end) => {
    const report = runRules({ "docs/a.md": `first\n${start}${end}\n` })["words"];
    expect(report).toContain(`docs/a.md:2 has ${what}`);
    expect(report).toContain("Why: Whoever clones this has another machine");
  });

  test("text that only looks alike passes", () => {
    const text = "https://example.com/work/ src/work/er.ts nodemailer#1234 issues 10 codes\n";
    expect(runRules({ "docs/a.md": text })).toEqual({});
  });
});

describe("counts", () => {
  const files = [
    { path: "src/core/whole.ts", text: `${imports("./slice.ts")}${statements(96, 0)}` },
    { path: "src/core/slice.ts", text: "export const a = 1;\n" },
    { path: "src/core/far.ts", text: `${imports("../email/part.ts")}${statements(96, 0)}` },
    { path: "src/email/part.ts", text: "export const a = 1;\n" },
    { path: "tests/long.html", text: "<p>\n".repeat(401) },
  ];

  test("a figure beyond its limit fails the check and names the files behind it", () => {
    const { name, passed, report } = checkCounts(files, true);
    expect(passed).toBe(false);
    expect(name).toContain(
      "4 files in src (at most 260), 99 median lines (at least 95), 1 % imports",
    );
    expect(name).toContain("1 slices of their only importer (at most 0!)");
    expect(report).toContain("src/core/slice.ts (of src/core/whole.ts)");
    expect(report).not.toContain("src/email/part.ts");
    expect(report).toContain("tests/long.html");
    expect(report).toContain("Why: An idea cut into slices");
  });

  test("while the limits are not enforced, only a file over 400 lines fails", () => {
    const { name, passed, report } = checkCounts(files, false);
    expect(passed).toBe(false);
    expect(report).not.toContain("src/core/slice.ts");
    expect(name).toContain("not enforced yet");
    expect(checkCounts(files.slice(0, 4), false).passed).toBe(true);
  });
});

test("every form of import is found, and one in a comment is not", () => {
  const text = [
    `import { a } from "./a.ts";`,
    `import type { B } from "../b.ts";`,
    `import {`,
    `  c,`,
    `} from "kafkajs";`,
    `import "./effect.ts";`,
    `export { d } from "./d.ts";`,
    `const e = await import("./e.ts");`,
    `// import { f } from "./f.ts";`,
  ].join("\n");
  const found = findImports({ path: "src/core/x.ts", text });
  expect(found.map(({ target, typeOnly }) => (typeOnly ? `type ${target}` : target))).toEqual([
    "src/core/a.ts",
    "type src/b.ts",
    "kafkajs",
    "src/core/effect.ts",
    "src/core/d.ts",
    "src/core/e.ts",
  ]);
});

test("files that are not committed yet are read too, ignored ones are not", () => {
  const paths = readSourceFiles(repository).map(({ path }) => path);
  expect(paths).toContain("package.json");
  expect(paths.some((path) => path.startsWith("node_modules/"))).toBe(false);
});
