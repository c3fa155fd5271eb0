import { mkdirSync, readFileSync, rmSync, writeFileSync } from "node:fs";
import { join } from "node:path";
import { readRecorded } from "../benchmarks/committed.ts";
import { writeScaling } from "../scaling/page.ts";
import { renderConfiguration, renderEnvExample } from "./configuration.ts";
import { goldenDirectory, renderGoldenMails } from "./golden-mails.ts";
import { replaceMarked } from "./marked.ts";
import { renderMetricTables } from "./metrics.ts";
import { renderReplyTable } from "./replies.ts";

/** Writes the generated documents; tests in `tests/unit` fail when one is stale. */
writeFileSync(".env.example", renderEnvExample());
writeFileSync("docs/configuration.md", renderConfiguration());
const operating = "docs/operating.md";
const page = readFileSync(operating, "utf8");
writeFileSync(operating, replaceMarked(page, "metrics", renderMetricTables()));
const sending = "docs/sending.md";
writeFileSync(sending, replaceMarked(readFileSync(sending, "utf8"), "replies", renderReplyTable()));
writeScaling(".", readRecorded("."));

rmSync(goldenDirectory, { recursive: true, force: true });
mkdirSync(goldenDirectory, { recursive: true });
for (const [name, content] of renderGoldenMails()) {
  writeFileSync(join(goldenDirectory, name), content);
}
