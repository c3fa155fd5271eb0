import { describe, expect, test } from "bun:test";
import { findEngine } from "../../support/engines.ts";
import { openSmtpSink } from "../../support/smtp-sink/smtp-sink.ts";
import { temporaryDirectory } from "../../support/temporary-directory.ts";
import { readCodeBlocks } from "../support/code-blocks.ts";
import { verifyDkim } from "../support/dkim.ts";

const program = findEngine("instant");

describe.skipIf(program === undefined)("docs/sending.md", () => {
  test("makes a key and a DNS record that verify the test mail", async () => {
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
