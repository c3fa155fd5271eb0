import { afterAll, beforeAll, describe, expect, test } from "bun:test";
import { readFileSync, writeFileSync } from "node:fs";
import { join } from "node:path";
import { findEngine } from "../../support/engines.ts";
import { eventually } from "../../support/eventually.ts";
import { InstantProcess } from "../../support/instant-process.ts";
import type { DevProcess } from "../support/dev-process.ts";
import { openDevProcess } from "../support/dev-process.ts";

const program = findEngine("instant") ?? "";
const page = readFileSync("docs/operating.md", "utf8");
const shown = new Set([...page.matchAll(/^\.\/instant .* trace .*$/gm)].map(([line]) => line));
const sampleId = "018f3a5e-7d1c-4a52-9c7e-1f2d3c4b5a69";
const recipient = "ana@example.com";

describe.skipIf(program === "")("instant trace", () => {
  const stack = new AsyncDisposableStack();
  let dev: DevProcess;
  let messageId = "";
  beforeAll(async () => {
    dev = stack.use(await openDevProcess(program));
    writeFileSync(join(dev.directory, ".env"), "");
    await dev.codeAfter(recipient, () => dev.requestCode(recipient));
    messageId = await eventually("the mail is recorded", () => {
      const [line] = dev.process.findLogs("Marked email as processed");
      return line === undefined ? undefined : String(line["messageID"]);
    });
  }, 60_000);
  afterAll(() => stack.disposeAsync());

  /** What it prints, and its exit code, in the directory of the running services. */
  async function trace(...parameters: string[]) {
    const options = { program, directory: dev.directory };
    await using command = new InstantProcess(parameters, options);
    return { exitCode: await command.end(), output: command.output };
  }

  test.each([...shown])("%s does what it says", async (command) => {
    const words = command.replace(sampleId, messageId).split(" ").slice(1);
    const { exitCode, output } = await trace(...words);
    expect({ exitCode, output }).toMatchObject({ exitCode: 0 });
    expect(output).toContain(messageId);
    for (const state of ["claimed", "submitting", "accepted"]) expect(output).toContain(state);
    expect(output).not.toContain(recipient);
  });

  test("prints the same JSON as serve-email", async () => {
    const { output } = await trace("trace", messageId, "--json");
    const answer = await fetch(`${dev.emailUrl}/messages/${messageId}`);
    expect(await answer.json()).toEqual(JSON.parse(output));
    expect(JSON.parse(output)).toMatchObject({
      state: "accepted",
      attempts: 1,
      smtp: { host: "inbox" },
    });
    expect((await fetch(`${dev.emailUrl}/messages/unknown`)).status).toBe(404);
    const elsewhere = { headers: { Host: "evil.example" } };
    expect((await fetch(`${dev.emailUrl}/messages/${messageId}`, elsewhere)).status).toBe(403);
  });

  test("waits for a mail that is not there yet, and ends when it is settled", async () => {
    const options = { program, directory: dev.directory };
    await using command = new InstantProcess(["trace", "bob@example.com", "--follow"], options);
    await dev.codeAfter("bob@example.com", () => dev.requestCode("bob@example.com"));
    await eventually("it tells of it", () => command.output.includes("accepted"));
    expect(await command.stop("SIGINT")).toBe(0);
  });

  test("ends with 1 when nothing is known, and with 2 when nothing can be", async () => {
    const unknown = await trace("trace", "nobody-knows");
    expect(unknown).toMatchObject({ exitCode: 1, output: expect.stringContaining("No mail") });
    expect(await trace("trace", "not an id")).toMatchObject({ exitCode: 2 });
  });
});
