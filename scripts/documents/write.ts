import { writeFileSync } from "node:fs";
import { renderConfiguration, renderEnvExample } from "./configuration.ts";

/** Writes the generated documents; `tests/unit/scripts/documents.test.ts` fails when one is stale. */
writeFileSync(".env.example", renderEnvExample());
writeFileSync("docs/configuration.md", renderConfiguration());
