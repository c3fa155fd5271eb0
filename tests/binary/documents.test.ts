import { afterAll, beforeAll, describe, expect, test } from "bun:test";
import {
  accessSync,
  constants,
  existsSync,
  readFileSync,
  symlinkSync,
  writeFileSync,
} from "node:fs";
import { join } from "node:path";
import { findEngine } from "../../support/engines.ts";
import { smtpEnvironment } from "../../support/service-rig.ts";
import type { SmtpSink } from "../../support/smtp-sink/smtp-sink.ts";
import { openSmtpSink } from "../../support/smtp-sink/smtp-sink.ts";
import { temporaryDirectory } from "../../support/temporary-directory.ts";
import { readCodeBlocks } from "../support/code-blocks.ts";
import type { DevProcess } from "../support/dev-process.ts";
import { openDevProcess } from "../support/dev-process.ts";
import { verifyDkim } from "../support/dkim.ts";

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
  test("names only scripts and documents that exist", () => {
    const readme = readFileSync("README.md", "utf8");
    const scripts = [...readme.matchAll(/scripts\/[a-z-]+(?:\.sh)?/g)].map(([path]) => path);
    for (const path of scripts) accessSync(path, constants.X_OK);
    const links = [...readme.matchAll(/\]\((?!http)([^)]+)\)/g)].map((match) => match[1] ?? "");
    expect(links.filter((path) => !existsSync(path))).toEqual([]);
    expect(scripts.length + links.length).toBeGreaterThan(8);
  });

  test("names every command that the program has, and no other", async () => {
    const named = [...readFileSync("README.md", "utf8").matchAll(/^\| `\.\/instant ([a-z-]+)/gm)];
    const tree = readFileSync("src/commands/program.ts", "utf8");
    const commands = [...tree.matchAll(/\bprogram\s+\.command\("([a-z-]+)"\)/g)];
    const names = (matches: RegExpMatchArray[]) => matches.map((match) => match[1]).toSorted();
    expect(names(named)).toEqual(names(commands));
  });
});

describe.skipIf(program === undefined)("the README's curl calls", () => {
  test("request a code, and sign in with the one in the inbox", async () => {
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

const pages = ["docs/operating.md", "docs/migrating.md", "docs/guide.md"];
const page = pages.map((path) => readFileSync(path, "utf8")).join("\n");
/** What an operator types; services, doctor (it may find something) and trace have tests of their own. */
const commands = [...page.matchAll(/(?:[A-Z_]+=\S+ )?\.\/instant [^`\n#]+/g)]
  .map(([command]) => command.trim())
  .filter((command) => !/ (?:serve-|doctor|trace)/.test(command));

describe.skipIf(program === undefined)("an operator's pages", () => {
  const stack = new AsyncDisposableStack();
  let sink: SmtpSink;
  let directory: ReturnType<typeof temporaryDirectory>;
  beforeAll(async () => {
    sink = stack.use(await openSmtpSink());
    directory = stack.use(temporaryDirectory());
    symlinkSync(program ?? "", join(directory.path, "instant"));
    const settings = Object.entries(smtpEnvironment(sink));
    const lines = settings.map(([name, value]) => `${name}=${value}\n`);
    writeFileSync(join(directory.path, ".env"), lines.join(""));
  });
  afterAll(() => stack.disposeAsync());

  test.each([...new Set(commands)])("%s does what it says", async (command) => {
    const run = Bun.spawn(["bash", "-c", command], {
      cwd: directory.path,
      env: { PATH: process.env["PATH"] ?? "" },
      stdin: "ignore",
      stdout: "ignore",
      stderr: "pipe",
    });
    const stderr = await new Response(run.stderr).text();
    expect(`${await run.exited} ${stderr}`).toBe("0 ");
  });

  test("has commands to run", () => {
    expect(commands.length).toBeGreaterThan(5);
  });
});

const secret = "a secret for bounce reports, long enough";

describe.skipIf(program === undefined)("docs/preferences.md", () => {
  test("shows commands that work", async () => {
    await using dev = await openDevProcess(program ?? "", { BOUNCE_SECRET: secret });
    const run = async (script: string) => {
      const child = Bun.spawn(["bash", "-o", "pipefail", "-ec", script], {
        cwd: dev.directory,
        env: { PATH: process.env["PATH"] ?? "", BOUNCE_SECRET: secret },
        stdout: "pipe",
        stderr: "pipe",
      });
      const output = await new Response(child.stdout).text();
      expect({ script, output, exitCode: await child.exited }).toMatchObject({ exitCode: 0 });
      return output;
    };
    const blocks = readCodeBlocks("docs/preferences.md", "bash").map((block) =>
      block
        .replaceAll("./instant", program ?? "")
        .replaceAll("curl ", "curl -sS --fail-with-body ")
        .replaceAll("http://localhost:8080", dev.authUrl),
    );
    const outputs: string[] = [];
    for (const block of blocks) outputs.push(await run(block));
    expect(outputs[0]).toMatch(/1 suppressed\nana@example.com {2}manual .*\n1 removed/);
    expect(outputs[1]).toContain("0 addresses written to suppressions.csv");
    expect(outputs[2]).toBe('{"suppressed":1}');
    const listed = await run(`${program} suppressions list`);
    expect(listed).toMatch(/^ana@example.com {2}bounced .* 550 5.1.1 no such user\n$/);
  });
});

describe.skipIf(program === undefined)("docs/sending.md", () => {
  test("makes a key and a record by which the test mail is verified", async () => {
    using directory = temporaryDirectory();
    await using sink = await openSmtpSink();
    const environment = {
      PATH: process.env["PATH"] ?? "",
      SMTP_HOST: "127.0.0.1",
      SMTP_PORT: String(sink.port),
      SMTP_TLS: "none",
      SMTP_FROM: "noreply@example.com",
    };
    const run = async (block: string | undefined) => {
      const child = Bun.spawn(
        ["bash", "-ec", block?.replaceAll("./instant", program ?? "") ?? "exit 9"],
        {
          cwd: directory.path,
          env: environment,
          stdout: "pipe",
          stderr: "ignore",
        },
      );
      const stdout = await new Response(child.stdout).text();
      expect(await child.exited).toBe(0);
      return stdout;
    };
    const [sendTest, makeKey, sendSigned, ...others] = readCodeBlocks("docs/sending.md", "bash");
    expect(others).toEqual([]);
    expect(await run(sendTest)).toContain("\n✓ 127.0.0.1 accepted the mail");
    const record = (await run(makeKey)).trim();
    await run(sendSigned);
    const [unsigned, signed] = sink.accepted.map(({ data }) => data);
    const dns = { name: "instant1._domainkey.example.com", record };
    expect(await verifyDkim(unsigned ?? "", dns)).toMatchObject([{ result: "none" }]);
    expect(await verifyDkim(signed ?? "", dns)).toMatchObject([
      { result: "pass", domain: "example.com" },
    ]);
  });
});
