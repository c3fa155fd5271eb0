import { describe, expect, test } from "bun:test";
import { readFileSync } from "node:fs";
import { examples } from "../../src/commands/examples.ts";
import { findEngine } from "../../support/engines.ts";
import { eventually } from "../../support/eventually.ts";
import { InstantProcess } from "../../support/instant-process.ts";
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
  test.each(["", ...commands])("of %p has examples that match its options", async (command) => {
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

  test("has no colour outside a terminal", async () => {
    expect(await helpOf("")).not.toContain("\x1b[");
  });
});

test("the commands of main.ts are found", () => {
  expect(commands).toContain("suppressions list");
  expect(commands.length).toBeGreaterThan(10);
});

const program = findEngine("instant") ?? "";
const ports = { AUTH_SERVICE_PORT: "0", EMAIL_SERVICE_PORT: "0" };

test.skipIf(program === "")(
  "a person gets readable lines, and a warning about a mistyped variable",
  async () => {
    using directory = temporaryDirectory();
    await using service = new InstantProcess(["serve-email"], {
      program,
      directory: directory.path,
      environment: { ...ports, LOG_FORMAT: "pretty", KAFKA_BROKER: "localhost:9092" },
    });
    await eventually("it has started", () => service.output.includes("Email service started"));
    expect(service.output).toMatch(
      /WARN {2}email-service KAFKA_BROKER is set, but .* fix="Did you mean KAFKA_BROKERS\?/,
    );
    expect(service.output).not.toContain("\x1b[");
    expect(service.output).not.toContain('{"level"');
  },
);

test.skipIf(program === "")(
  "other outputs get JSON, and other programs' variables no warning",
  async () => {
    using directory = temporaryDirectory();
    await using service = new InstantProcess(["serve-email"], {
      program,
      directory: directory.path,
      environment: { ...ports, KAFKA_HEAP_OPTS: "-Xmx1g", SHELL: "/bin/sh" },
    });
    await eventually("it has started", () => service.findLogs("Email service started")[0]);
    const lines = service.output.trim().split("\n");
    expect(lines.filter((line) => line.includes('"level":"warn"'))).toEqual([]);
  },
);
