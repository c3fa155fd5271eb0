import { describe, expect, test } from "bun:test";
import { accessSync, constants, existsSync, readFileSync } from "node:fs";
import { findEngine } from "../../support/engines.ts";
import { readCodeBlocks } from "../support/code-blocks.ts";
import type { DevProcess } from "../support/dev-process.ts";
import { openDevProcess } from "../support/dev-process.ts";

const program = findEngine("instant");
const blocks = readCodeBlocks("README.md", "bash");

/** Runs a block as it is written, but for the addresses and the code. */
async function runBlock(dev: DevProcess, block: string, code = ""): Promise<string> {
  const script = block
    .replaceAll("http://localhost:8080", dev.authUrl)
    .replaceAll("http://localhost:8085", dev.emailUrl)
    .replaceAll("123456", code);
  const child = Bun.spawn(["bash", "-c", script], { stdout: "pipe", stderr: "ignore" });
  return new Response(child.stdout).text();
}

/** The answer that a block shows as its last comment. */
function shownAnswer(block: string): string {
  return block.trim().split("\n").at(-1)?.replace(/^# /, "") ?? "";
}

function blockWith(words: string): string {
  const block = blocks.find((each) => each.includes(words));
  if (block === undefined) throw new Error(`the README has no block with ${words}`);
  return block;
}

describe("the README", () => {
  test("names scripts and documents that are there", () => {
    const readme = readFileSync("README.md", "utf8");
    const scripts = [...readme.matchAll(/scripts\/[a-z-]+(?:\.sh)?/g)].map(([path]) => path);
    for (const path of scripts) accessSync(path, constants.X_OK);
    const links = [...readme.matchAll(/\]\((?!http)([^)]+)\)/g)].map((match) => match[1] ?? "");
    expect(links.filter((path) => !existsSync(path))).toEqual([]);
    expect(scripts.length + links.length).toBeGreaterThan(8);
  });

  test("names every command that the program has, and no other", async () => {
    const named = [...readFileSync("README.md", "utf8").matchAll(/^\| `\.\/instant ([a-z-]+)/gm)];
    const main = readFileSync("src/main.ts", "utf8");
    const commands = [...main.matchAll(/\bprogram\s+\.command\("([a-z-]+)"\)/g)];
    const names = (matches: RegExpMatchArray[]) => matches.map((match) => match[1]).toSorted();
    expect(names(named)).toEqual(names(commands));
  });
});

describe.skipIf(program === undefined)("the README's curl calls", () => {
  test("ask for a code, and sign in with the one in the inbox", async () => {
    await using dev = await openDevProcess(program ?? "");
    const request = blockWith("/auth/request-code");
    expect(await runBlock(dev, request)).toBe(shownAnswer(request));
    const code = await dev.newestCode();
    const verify = blockWith("/auth/verify-code");
    const answer = JSON.parse(await runBlock(dev, verify, code));
    expect(answer).toMatchObject({
      token: expect.any(String),
      user: { email: "test@example.com" },
    });
    const shown = [...shownAnswer(verify).matchAll(/"(\w+)":/g)].map((match) => match[1]);
    expect(shown).toEqual(["token", "user", "id", "email"]);
  });
});
