/** The command behind scripts/document. Tests in `tests/unit` fail when a document is stale. */
import { mkdirSync, readFileSync, rmSync, writeFileSync } from "node:fs";
import { join } from "node:path";
import { languageTags } from "../../src/core/languages.ts";
import { createMailRenderer } from "../../src/email/templates/mail-renderer.tsx";
import { previewable, renderSample } from "../../src/email/templates/preview.tsx";
import { renderConfiguration, renderEnvExample } from "./configuration.ts";
import { replaceMarked } from "./marked.ts";
import { renderMetricTables, renderReplyTable } from "./tables.ts";

export const goldenDirectory = "tests/golden/mails";

const now = Date.UTC(2026, 0, 31, 12);

/**
 * Every sample of every mail in every language, by file name: the HTML, and the subject with the
 * text. A changed word or colour then shows up in review.
 */
export function renderGoldenMails(): ReadonlyMap<string, string> {
  const render = createMailRenderer({
    appName: "Acme",
    fallbackLocale: "en",
    codeInSubject: false,
  });
  const files = new Map<string, string>();
  for (const { type, samples } of previewable) {
    for (const sample of samples) {
      for (const language of languageTags) {
        const mail = renderSample(render, { type, sample, language }, now);
        const name = `${type}.${sample}.${language}`;
        files.set(`${name}.html`, mail.html);
        files.set(`${name}.txt`, `Subject: ${mail.subject}\n\n${mail.text}`);
      }
    }
  }
  return files;
}

if (import.meta.main) {
  writeFileSync(".env.example", renderEnvExample());
  writeFileSync("docs/configuration.md", renderConfiguration());
  writeInto("docs/operating.md", "metrics", renderMetricTables());
  writeInto("docs/sending.md", "replies", renderReplyTable());
  rmSync(goldenDirectory, { recursive: true, force: true });
  mkdirSync(goldenDirectory, { recursive: true });
  for (const [name, content] of renderGoldenMails()) {
    writeFileSync(join(goldenDirectory, name), content);
  }
}

function writeInto(path: string, mark: string, text: string): void {
  writeFileSync(path, replaceMarked(readFileSync(path, "utf8"), mark, text));
}
