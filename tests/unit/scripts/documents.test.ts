import { describe, expect, test } from "bun:test";
import { readFileSync } from "node:fs";
import { parseEnv } from "node:util";
import { renderConfiguration, renderEnvExample } from "../../../scripts/documents/configuration.ts";
import { replaceBetween, replaceMarked } from "../../../scripts/documents/marked.ts";
import { renderMetricTables, renderReplyTable } from "../../../scripts/documents/tables.ts";
import { configGroups, loadConfig } from "../../../src/compose/config.ts";
import type { ConfigField } from "../../../src/core/config.ts";

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
      expect(field.schema.safeParse(field.example).success || field.secret).toBe(true);
      if (field.fallback !== undefined)
        expect(field.schema.safeParse(field.fallback).success).toBe(true);
    },
  );

  test("has a name of its own", () => {
    const names = fields.map(({ name }) => name);
    expect(names.toSorted()).toEqual([...new Set(names)].toSorted());
  });
});
