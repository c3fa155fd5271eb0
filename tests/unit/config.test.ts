import { describe, expect, test } from "bun:test";
import { writeFileSync } from "node:fs";
import { join } from "node:path";
import { knownVariables } from "../../src/compose/config.ts";
import { setting } from "../../src/core/config.ts";
import { Diagnosis } from "../../src/core/diagnosis.ts";
import { isInstantError } from "../../src/core/errors.ts";
import { createLookalikes, diagnoseNames } from "../../src/doctor/settings.ts";
import { parseConfig } from "../../support/settings.ts";
import { temporaryDirectory } from "../../support/temporary-directory.ts";

const groups = {
  one: {
    port: setting.integer({ name: "PORT", min: 1, max: 65_535, fallback: "8080", doc: "A port." }),
    mode: setting.choice({
      name: "MODE",
      choices: ["log", "smtp"],
      fallback: "log",
      doc: "A mode.",
    }),
    wait: setting.duration({
      name: "WAIT",
      minMs: 0,
      maxMs: 60_000,
      fallback: "10s",
      doc: "A wait.",
    }),
  },
  two: {
    name: setting.text({ name: "NAME", doc: "A name." }),
    password: setting.secret({ name: "PASSWORD", charsMin: 8, doc: "A password." }),
  },
};

function problemsOf(environment: Record<string, string>): string[] {
  try {
    parseConfig(groups, environment);
    return [];
  } catch (error) {
    if (!isInstantError(error)) throw error;
    return error.message.split("\n").slice(1);
  }
}

describe("the configuration", () => {
  test("has its typed fallbacks when nothing is set", () => {
    expect(parseConfig(groups, {})).toEqual({
      one: { port: 8080, mode: "log", wait: 10_000 },
      two: { name: undefined, password: undefined },
    });
  });

  test("treats an empty variable as unset", () => {
    expect(parseConfig(groups, { PORT: "", NAME: "" }).one.port).toBe(8080);
  });

  test("reports every problem at once, with the variable, the bound and an example", () => {
    expect(problemsOf({ PORT: "70000", MODE: "mail", WAIT: "1 minute" })).toEqual([
      '  PORT must be a whole number from 1 to 65535 (it is "70000"); for example PORT=8080',
      '  MODE must be one of log, smtp (it is "mail"); for example MODE=log',
      '  WAIT must be a duration from 0 to 1m, such as 90s, 10m or 1h30m (it is "1 minute"); for example WAIT=10s',
    ]);
  });

  test("never shows a secret", () => {
    const [problem] = problemsOf({ PASSWORD: "hunter2" });
    expect(problem).toContain("PASSWORD must be at least 8 characters");
    expect(problem).not.toContain("hunter2");
  });

  test("reads a secret from the file that NAME_FILE names", () => {
    using directory = temporaryDirectory();
    const path = join(directory.path, "password");
    writeFileSync(path, "correct horse\n");
    expect(parseConfig(groups, { PASSWORD_FILE: path }).two.password).toBe("correct horse");
  });

  test("refuses a secret that is given twice, or in a missing file", () => {
    expect(problemsOf({ PASSWORD: "long enough", PASSWORD_FILE: "/none" })).toEqual([
      "  PASSWORD_FILE and PASSWORD are both set; keep one of them",
    ]);
    expect(problemsOf({ PASSWORD_FILE: "/none" })).toEqual([
      "  PASSWORD_FILE names a file that cannot be read: /none",
    ]);
  });

  test("reads no file for a variable that is not secret", () => {
    expect(parseConfig(groups, { NAME_FILE: "/none" }).two.name).toBeUndefined();
  });
});

/** What Kubernetes sets for each service of a namespace. */
function serviceLinks(count: number): Record<string, string> {
  const services = [
    "ANALYTICS",
    "AUDIT",
    "BILLING",
    "CART",
    "PAYMENTS",
    "SEARCH",
    "STOCK",
    "USERS",
  ];
  const kinds = ["SERVICE_HOST", "SERVICE_PORT", "PORT", "PORT_80_TCP", "PORT_80_TCP_ADDR"];
  const names = Array.from({ length: count }, (_, index) => {
    const service = `${services[index % services.length]}_${index}`;
    return `${service}_${kinds[index % kinds.length]}`;
  });
  return Object.fromEntries(names.map((name) => [name, "10.0.0.1"]));
}

describe("the check for mistyped variables", () => {
  test("compares 2,000 variables of other programs with few of ours", () => {
    const known = knownVariables();
    const lookalikes = createLookalikes(known);
    const names = Object.keys(serviceLinks(2_000));
    const comparisons = names.reduce((total, name) => total + lookalikes(name).length, 0);
    expect(comparisons).toBeLessThan((names.length * known.length) / 20);
  });

  test("still finds a mistyped one of ours among them", () => {
    const diagnosis = new Diagnosis();
    const environment = { ...serviceLinks(2_000), KAKFA_BROKERS: "localhost:9092" };
    diagnoseNames(diagnosis, environment, knownVariables());
    expect(diagnosis.findings.map(({ fix }) => fix)).toEqual([
      "Did you mean KAFKA_BROKERS? Rename it, or remove it",
    ]);
  });
});

test.each([
  ["noreply@example.org/x", "with a domain name after the @"],
  ["no\u200breply@example.org", "without spaces or invisible characters inside"],
  ["a!b@example.org", "without % or ! before the @"],
])("a mailbox such as %j is refused, with the reason", (text, reason) => {
  const { parse } = setting.mailbox({ name: "SMTP_FROM", doc: "The sender." });
  expect(parse(text)).toEqual({ problem: expect.stringContaining(reason) as unknown as string });
  expect(parse(" Noreply@Bücher.example\u00a0")).toEqual({
    value: "Noreply@xn--bcher-kva.example",
  });
});
