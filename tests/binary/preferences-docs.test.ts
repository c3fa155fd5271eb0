import { describe, expect, test } from "bun:test";
import { findEngine } from "../../support/engines.ts";
import { readCodeBlocks } from "../support/code-blocks.ts";
import { openDevProcess } from "../support/dev-process.ts";

const program = findEngine("instant");
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
