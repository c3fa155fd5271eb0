import { describe, expect, test } from "bun:test";
import { mkdirSync, readFileSync, writeFileSync } from "node:fs";
import { dirname, join } from "node:path";
import { loadConfig } from "../../src/compose/config.ts";
import { composeMailTemplates } from "../../src/compose/delivery.ts";
import { isInstantError } from "../../src/core/errors.ts";
import { languageTags } from "../../src/core/languages.ts";
import { eventTypes } from "../../src/email/mails/mail-types.tsx";
import { createTimeFormat } from "../../src/email/templates/languages.ts";
import { namesOf } from "../../src/email/templates/overrides/overrides.ts";
import { temporaryDirectory } from "../../support/temporary-directory.ts";
import { readCodeBlocks } from "../support/code-blocks.ts";
import { mailEvent, sentAt, unsubscribeUrl } from "../support/mails.ts";

const welcome = {
  "welcome.subject.txt": "Hello from {{app_name}}\n",
  "welcome.html":
    '<p title="{{username}}">Hi {{username}}</p><a href="{{unsubscribe_link}}">no more</a>',
  "welcome.txt": "Hi {{username}}\n{{unsubscribe_link}}\n",
};

function open(files: Readonly<Record<string, string>>, environment: Record<string, string> = {}) {
  using directory = temporaryDirectory();
  for (const [name, content] of Object.entries(files)) {
    const path = join(directory.path, name);
    mkdirSync(dirname(path), { recursive: true });
    writeFileSync(path, content);
  }
  const settings = { TEMPLATE_DIR: directory.path, APP_NAME: "Acme & Co", ...environment };
  return composeMailTemplates(loadConfig(settings));
}

function renderWelcome(templates: ReturnType<typeof open>, data: object = {}) {
  const event = mailEvent("welcome", { username: "ana", ...data });
  return templates.render(event, { now: sentAt, unsubscribeUrl });
}

function problemOf(files: Readonly<Record<string, string>>, environment = {}): string {
  try {
    open(files, environment);
    return "none";
  } catch (error) {
    if (!isInstantError(error)) throw error;
    return error.message;
  }
}

describe("a template of the operator's", () => {
  test("replaces ours, with its values escaped in HTML and plain in the text", () => {
    const mail = renderWelcome(open(welcome), { username: `<b> & "Ana"` });
    expect(mail.subject).toBe("Hello from Acme & Co");
    expect(mail.html).toContain('<p title="&lt;b&gt; &amp; &quot;Ana&quot;">');
    expect(mail.text).toBe(`Hi <b> & "Ana"\n${unsubscribeUrl}\n`);
  });

  test("leaves the other mails as they are", () => {
    const data = { code: "402817", expires_in: "10m" };
    const mail = open(welcome).render(mailEvent("verification_code", data), { now: sentAt });
    expect(mail.subject).toBe("Your sign-in code for Acme & Co");
  });

  test("takes sections for what may be absent, and for what a code is for", () => {
    const templates = open({
      "verification_code.subject.txt":
        "{{#delete_account}}Deletion{{/delete_account}}{{^delete_account}}Code{{/delete_account}}",
      "verification_code.html": "<p>{{code}}{{#remaining}} for {{remaining}}{{/remaining}}</p>",
      "verification_code.txt": "{{! a comment }}{{code}} {{remaining}}",
    });
    const render = (data: object) => {
      const event = mailEvent("verification_code", { code: "1234", expires_in: "10m", ...data });
      return templates.render(event, { now: sentAt });
    };
    expect(render({}).subject).toBe("Code");
    expect(render({ purpose: "delete_account" }).subject).toBe("Deletion");
    expect(render({}).html).toBe("<p>1234 for 10 minutes</p>");
  });

  test("in a folder is of that language, in which times are said too", () => {
    const notice = (words: string) => ({
      "sign_in_notice.subject.txt": words,
      "sign_in_notice.html": `<p>${words} {{signed_in_at}}</p>`,
      "sign_in_notice.txt": `${words} {{signed_in_at}}`,
    });
    const inFolder = (folder: string, files: Record<string, string>) =>
      Object.fromEntries(Object.entries(files).map(([name, text]) => [`${folder}/${name}`, text]));
    const templates = open({
      ...inFolder("nl", notice("Nieuw")),
      ...inFolder("es-mx", notice("Nuevo")),
    });
    const subjectIn = (locale: string) => {
      const data = { signed_in_at: "2026-01-31T12:00:00Z", locale };
      const mail = templates.render(mailEvent("sign_in_notice", data), { now: sentAt });
      return `${mail.subject}: ${mail.text.slice(0, 40)}`;
    };
    expect(subjectIn("nl-BE")).toStartWith("Nieuw: Nieuw 31 januari 2026");
    expect(subjectIn("es-MX")).toStartWith("Nuevo: ");
    expect(subjectIn("es-ES")).toStartWith("Nuevo inicio de sesión en");
    expect(subjectIn("it")).toStartWith("New sign-in");
    expect(templates.languages).toEqual([...languageTags, "es-mx", "nl"]);
  });

  test("beside the folders is for everybody who has no folder", () => {
    const spanish = Object.fromEntries(
      Object.entries(welcome).map(([name, text]) => [`es/${name}`, text.replace("Hello", "Hola")]),
    );
    const templates = open({ ...welcome, ...spanish });
    expect(renderWelcome(templates, { locale: "es-AR" }).subject).toStartWith("Hola");
    expect(renderWelcome(templates, { locale: "ru" }).subject).toStartWith("Hello");
    expect(renderWelcome(templates).subject).toStartWith("Hello");
  });
});

describe("a broken template is refused at start:", () => {
  const bad = (name: string, content: string) => ({ ...welcome, [name]: content });
  test.each([
    [
      "a tag that is not closed",
      bad("welcome.html", "<p>\n\n{{username"),
      "welcome.html:3 is not Mustache: unclosed tag",
    ],
    [
      "a section that is not closed",
      bad("welcome.txt", "a\n{{#username}}"),
      'welcome.txt:2 is not Mustache: unclosed section "username"',
    ],
    [
      "a section that is not opened",
      bad("welcome.txt", "a\n\n{{/username}}"),
      "welcome.txt:3 is not Mustache: unopened section",
    ],
    [
      "a value there is not",
      bad("welcome.html", "\n<p>{{usrname}}"),
      "welcome.html:2 uses an unknown value, usrname; known are username, app_name",
    ],
    [
      "a value of another type",
      bad("welcome.txt", "{{code}}"),
      "welcome.txt:1 uses an unknown value, code",
    ],
    [
      "what is not escaped",
      bad("welcome.html", "<p>{{{username}}}</p>"),
      "welcome.html:1 does not escape username",
    ],
    [
      "what is not escaped, written short",
      bad("welcome.html", "<p>{{&username}}</p>"),
      "welcome.html:1 does not escape username",
    ],
    ["a partial", bad("welcome.html", "{{> footer}}"), "welcome.html:1 has a partial"],
    ["other delimiters", bad("welcome.txt", "{{=<% %>=}}"), "welcome.txt:1 changes the delimiters"],
    [
      "an attribute without quotes",
      bad("welcome.html", welcome["welcome.html"].replaceAll('"', "")),
      "welcome.html lets username become markup",
    ],
    [
      "no way to unsubscribe",
      bad("welcome.txt", "Hi"),
      "welcome.txt does not show unsubscribe_link",
    ],
    ["an empty subject", bad("welcome.subject.txt", " \n"), "welcome.subject.txt is empty"],
    [
      "a part that is missing",
      { "welcome.html": welcome["welcome.html"] },
      "welcome.txt is missing",
    ],
    ["a name that is almost right", bad("welcom.html", "x"), "welcom.html is not a template"],
    ["a folder that is no language", bad("Espanol/welcome.html", "x"), "Espanol is not a language"],
    [
      "one that is too long",
      bad("welcome.txt", "x".repeat(300_000)),
      "welcome.txt is larger than 262144 bytes",
    ],
  ])("%s", (_, files, problem) => {
    expect(problemOf(files)).toContain(`TEMPLATE_DIR ${problem}`);
  });

  test("all problems at once, and a directory that is not there", () => {
    const all = problemOf({ ...bad("welcome.html", "{{x}}"), "es/welcome.txt": "{{y}}" });
    expect(all).toContain("welcome.html:1 uses an unknown value, x");
    expect(all).toContain("es/welcome.txt:1 uses an unknown value, y");
    expect(problemOf({}, { TEMPLATE_DIR: "/nowhere" })).toContain("TEMPLATE_DIR . cannot be read");
  });

  test("a code that is left out, or shown in the subject without the setting", () => {
    const files = {
      "verification_code.subject.txt": "{{code}} is your code",
      "verification_code.html": "<p>{{code}}</p>",
      "verification_code.txt": "{{code}}",
    };
    expect(problemOf(files)).toContain("verification_code.subject.txt shows the code");
    expect(problemOf(files, { EMAIL_CODE_IN_SUBJECT: "true" })).toBe("none");
    const without = { ...files, "verification_code.html": "<p>{{remaining}}</p>" };
    expect(problemOf(without)).toContain("verification_code.html does not show code");
  });

  test("but files of editors and a README are not", () => {
    expect(problemOf({ ...welcome, ".gitkeep": "", "README.md": "", "welcome.html~": "{{" })).toBe(
      "none",
    );
  });
});

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
