import { languageTags } from "../../src/email/templates/languages.ts";
import { createMailRenderer } from "../../src/email/templates/mail-renderer.tsx";
import { previewable, renderSample } from "../../src/email/templates/preview.tsx";

export const goldenDirectory = "tests/golden/mails";

const now = Date.UTC(2026, 0, 31, 12);

/**
 * Every sample of every mail in every language as it reads today, by file name: the HTML, and the
 * text below its subject. A change of a word or a colour then shows in review.
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
