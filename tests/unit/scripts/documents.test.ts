import { describe, expect, test } from "bun:test";
import { existsSync, readFileSync } from "node:fs";
import { resolve } from "node:path";
import { parseEnv } from "node:util";
import packageJson from "../../../package.json" with { type: "json" };
import { renderConfiguration, renderEnvExample } from "../../../scripts/documents/configuration.ts";
import { replaceBetween, replaceMarked } from "../../../scripts/documents/marked.ts";
import { renderMetricTables, renderReplyTable } from "../../../scripts/documents/tables.ts";
import { configGroups, loadConfig } from "../../../src/compose/config.ts";
import type { ConfigField } from "../../../src/core/config.ts";
import { kafka } from "../../../support/engines/kafka.ts";
import { postgres } from "../../../support/engines/postgres.ts";
import { redis } from "../../../support/engines/up.ts";
import { temporaryDirectory } from "../../../support/temporary-directory.ts";

const fields: readonly ConfigField<unknown>[] = Object.values(configGroups).flatMap((group) =>
  Object.values(group),
);

describe("generated documents", () => {
  test.each([
    [".env.example", renderEnvExample],
    ["docs/configuration.md", renderConfiguration],
  ])("%s is up to date (else run scripts/document)", (path, render) => {
    expect(readFileSync(path, "utf8")).toBe(render());
  });

  test("the metrics in docs/operating.md are up to date (else run scripts/document)", () => {
    const page = readFileSync("docs/operating.md", "utf8");
    expect(page).toBe(replaceMarked(page, "metrics", renderMetricTables()));
  });

  test("the replies in docs/sending.md are up to date (else run scripts/document)", () => {
    const page = readFileSync("docs/sending.md", "utf8");
    expect(page).toBe(replaceMarked(page, "replies", renderReplyTable()));
  });

  test("a copied .env.example is a valid configuration, the same as none", () => {
    expect(loadConfig(parseEnv(renderEnvExample()))).toEqual(loadConfig({}));
  });
});

test("only the text between the marks of a page is replaced", () => {
  const page = "a\n<!-- from -->\n\nold\n\n<!-- to -->\nb\n";
  const marks = ["<!-- from -->", "<!-- to -->"] as const;
  expect(replaceBetween(page, marks, "\nnew\n")).toBe(page.replace("old", "new"));
  expect(() => replaceBetween("no marks", marks, "new")).toThrow("needs the lines");
});

describe("a setting", () => {
  test.each(fields.map((field) => [field.name, field] as const))(
    "%s is well described",
    (_, field) => {
      expect(field.name).toMatch(/^[A-Z][A-Z0-9_]+$/);
      expect(field.doc).toMatch(/[.?]$/);
      if (!field.secret) expect(field.parse(field.example)).toHaveProperty("value");
      if (field.fallback !== undefined) expect(field.parse(field.fallback)).toHaveProperty("value");
    },
  );

  test("has a unique name", () => {
    const names = fields.map(({ name }) => name);
    expect(names.toSorted()).toEqual([...new Set(names)].toSorted());
  });
});

const rows = readFileSync("docs/guide.md", "utf8")
  .split("\n")
  .flatMap((line) => {
    const cells = /^\| ([^|`]+) \| `([^`]+)` \| `([^`]+)`:(.*) \|$/.exec(line);
    return cells === null ? [] : [cells.slice(1).map((cell) => cell.trim())];
  });
const tree = readFileSync("src/commands/program.ts", "utf8");

/** The headings of the guide that tell somebody to do something. */
const entries = [
  "Step 1",
  "Step 2",
  "Step 3",
  "Step 4",
  "Testing idempotency",
  "Monitoring: view Kafka messages",
  "Monitoring: Redis keys",
  "Monitoring: service health",
  "Failed to connect to Kafka",
  "Topic does not exist",
  "Emails not being sent",
  "Duplicate emails being sent",
  "Messages going to DLQ",
  "Configuration options",
  "Rollback",
  "Scale horizontally",
  "Adjust the consumer group",
  "Increase partitions",
  "Next step: production SMTP",
  "Next step: monitoring",
  "Next step: more e-mail types",
  "Next step: e-mail templates",
  "Next step: e-mail preferences",
];

describe("docs/guide.md", () => {
  test.each(entries)("answers the guide's '%s'", (entry) => {
    expect(rows.some(([name]) => name?.startsWith(entry))).toBe(true);
  });

  test.each(rows)("%s: the command exists, and so does its test", (_, typed, path, name) => {
    const command = /\.\/instant (?:--env-file \S+ )?([a-z-]+)/.exec(typed ?? "")?.[1];
    if (command !== undefined) expect(tree).toContain(`.command("${command}")`);
    if (typed?.startsWith("scripts/")) expect(existsSync(typed)).toBe(true);
    expect(readFileSync(path ?? "", "utf8")).toContain(name ?? "");
  });
});

function read(path: string): string {
  return readFileSync(resolve(import.meta.dir, "../../..", path), "utf8");
}

test("one version of Bun is named everywhere", () => {
  const pinned = /^bun_version=(.+)$/m.exec(read("scripts/bootstrap.sh"))?.[1];
  expect(pinned).toBe(packageJson.devDependencies["bun-types"]);
  expect(packageJson.engines.bun).toBe(`>=${pinned}`);
  expect(read("Dockerfile")).toContain(`FROM oven/bun:${pinned}-debian`);
});

test("Compose and scripts/servers use the same images", () => {
  using directory = temporaryDirectory();
  const compose = read("docker-compose.yml");
  for (const recipe of [kafka, redis, postgres]) {
    expect(compose).toContain(`image: ${recipe.planDocker?.(1, directory.path).image}\n`);
  }
});

test("packages are pinned to exact versions", () => {
  const versions = Object.values({ ...packageJson.dependencies, ...packageJson.devDependencies });
  for (const version of versions) expect(version).toMatch(/^\d+\.\d+\.\d+$/);
});
