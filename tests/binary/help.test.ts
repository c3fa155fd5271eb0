import { describe, expect, test } from "bun:test";
import { readFileSync } from "node:fs";
import { examples } from "../../src/commands/examples.ts";
import { findEngine } from "../../support/engines.ts";
import { temporaryDirectory } from "../../support/temporary-directory.ts";
import { runInstant } from "../support/run-instant.ts";

/** Every command of main.ts, with its parents: "suppressions list". */
const commands = [
  ...readFileSync("src/main.ts", "utf8").matchAll(/^(\w+)\n {2}\.command\("([a-z-]+)"\)/gm),
].map(([, parent, name]) => (parent === "program" ? name : `${parent} ${name}`) ?? "");

async function helpOf(command: string): Promise<string> {
  using directory = temporaryDirectory();
  const words = [...command.split(" ").filter(Boolean), "--help"];
  const { exitCode, stdout } = await runInstant(words, { directory: directory.path });
  expect(exitCode).toBe(0);
  return stdout;
}

describe.skipIf(findEngine("instant") === undefined)("--help", () => {
  test.each(["", ...commands])("of %p has examples that fit what it says", async (command) => {
    const help = await helpOf(command);
    const own = `instant ${command}`.trim();
    const shown = [...help.matchAll(/^ {2}\$ (.+)$/gm)].map(([, example]) => example ?? "");
    expect(shown).toEqual([...(examples[own] ?? [])]);
    expect(shown.length).toBeGreaterThan(0);
    for (const example of shown) {
      for (const word of own.split(" ")) expect(example).toContain(word);
      const options = example.match(/ --[a-z-]+/g) ?? [];
      const known = `${help} --env-file --help`;
      for (const option of options) expect(known).toContain(option.trim());
    }
  });

  test("has no colour where nobody sees it", async () => {
    expect(await helpOf("")).not.toContain("\x1b[");
  });
});

test("the commands are found", () => {
  expect(commands).toContain("suppressions list");
  expect(commands.length).toBeGreaterThan(10);
});
