import { readFileSync, writeFileSync } from "node:fs";
import { renderConfiguration, renderEnvExample } from "./configuration.ts";
import { replaceMarked } from "./marked.ts";
import { renderMetricTables } from "./metrics.ts";

/** Writes the generated documents; `tests/unit/scripts/documents.test.ts` fails when one is stale. */
writeFileSync(".env.example", renderEnvExample());
writeFileSync("docs/configuration.md", renderConfiguration());
const operating = "docs/operating.md";
const page = readFileSync(operating, "utf8");
writeFileSync(operating, replaceMarked(page, "metrics", renderMetricTables()));
