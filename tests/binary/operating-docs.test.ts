import { afterAll, beforeAll, describe, expect, test } from "bun:test";
import { readFileSync, symlinkSync, writeFileSync } from "node:fs";
import { join } from "node:path";
import { findEngine } from "../../support/engines.ts";
import { smtpEnvironment } from "../../support/service-rig.ts";
import type { SmtpSink } from "../../support/smtp-sink/smtp-sink.ts";
import { openSmtpSink } from "../../support/smtp-sink/smtp-sink.ts";
import { temporaryDirectory } from "../../support/temporary-directory.ts";

const program = findEngine("instant");
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
