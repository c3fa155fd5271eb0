import { expect, test } from "bun:test";
import { readFileSync, writeFileSync } from "node:fs";
import { join } from "node:path";
import { loadConfig } from "../../src/compose/config.ts";
import { composeMailTemplates } from "../../src/compose/mail-templates.ts";
import { eventTypes } from "../../src/email/mails/mail-types.tsx";
import { namesOf } from "../../src/email/templates/overrides/overrides.ts";
import { createTimeFormat } from "../../src/email/templates/texts.ts";
import { temporaryDirectory } from "../../support/temporary-directory.ts";
import { readCodeBlocks } from "../support/code-blocks.ts";
import { mailEvent, sentAt, unsubscribeUrl } from "../support/mails.ts";

const page = "docs/templates.md";

test("docs/templates.md shows templates that are taken", () => {
  using directory = temporaryDirectory();
  for (const [language, extension] of [
    ["mustache", "subject.txt"],
    ["html", "html"],
    ["text", "txt"],
  ] as const) {
    const [block = ""] = readCodeBlocks(page, language);
    writeFileSync(join(directory.path, `welcome.${extension}`), block);
  }
  const { render } = composeMailTemplates(loadConfig({ TEMPLATE_DIR: directory.path }));
  const event = mailEvent("welcome", { username: "Zoë" });
  const mail = render(event, { now: sentAt, unsubscribeUrl });
  expect(mail.subject).toBe("Welcome to instant, Zoë");
  expect(mail.html).toContain("<h1>Hello Zoë</h1>");
  expect(mail.text).toContain(`No more mails of this kind: ${unsubscribeUrl}\n`);
  expect(render(event, { now: sentAt }).text).not.toContain("No more");
});

test("docs/templates.md names every value of every type", () => {
  const rows = readFileSync(page, "utf8").split("\n");
  for (const type of eventTypes) {
    const row = rows.find((line) => line.startsWith(`| \`${type}\` |`));
    const shown = [...(row ?? "").matchAll(/`(\w+)`/g)].map(([, name]) => name ?? "").slice(1);
    const names = namesOf(type, createTimeFormat("en")).filter(
      (name) => !/^(?:app_name|recipient)$/.test(name),
    );
    expect(shown.toSorted()).toEqual(names.toSorted());
  }
});

test("docs/producing.md has a row for every type", () => {
  const text = readFileSync("docs/producing.md", "utf8");
  for (const type of eventTypes) expect(text).toContain(`\n| \`${type}\` |`);
});
