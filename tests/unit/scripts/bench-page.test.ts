import { expect, test } from "bun:test";
import { readFileSync } from "node:fs";
import { resolve } from "node:path";
import { readRecorded } from "../../../scripts/benchmarks/committed.ts";
import { replaceMeasured } from "../../../scripts/benchmarks/page.ts";
import { renderTable } from "../../../scripts/benchmarks/table.ts";

test("docs/benchmarks.md shows what docs/benchmarks.json says (else run scripts/bench --write)", () => {
  const recorded = readRecorded(resolve(import.meta.dir, "../../.."));
  const page = readFileSync("docs/benchmarks.md", "utf8");
  expect(page).toBe(replaceMeasured(page, renderTable(recorded.full)));
});
