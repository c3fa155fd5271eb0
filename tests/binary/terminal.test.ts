import { expect, test } from "bun:test";
import { findEngine } from "../../support/engines.ts";
import { eventually } from "../../support/eventually.ts";
import { InstantProcess } from "../../support/instant-process.ts";
import { temporaryDirectory } from "../../support/temporary-directory.ts";

const program = findEngine("instant") ?? "";
const ports = { AUTH_SERVICE_PORT: "0", EMAIL_SERVICE_PORT: "0" };

test.skipIf(program === "")(
  "a person gets readable lines, and hears of a mistyped variable",
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
  "what is no terminal gets JSON, and no warning of other programs' variables",
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
