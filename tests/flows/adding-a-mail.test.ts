import { describe, expect, test } from "bun:test";
import { cpSync, readFileSync, symlinkSync, writeFileSync } from "node:fs";
import { join } from "node:path";
import { languageTags } from "../../src/core/languages.ts";
import { temporaryDirectory } from "../../support/temporary-directory.ts";
import { readCodeBlocks } from "../support/code-blocks.ts";

const page = "docs/adding-a-mail.md";

/** The program's sources in a directory of their own, to be changed. */
function copySources(directory: string): void {
  for (const entry of ["src", "package.json", "tsconfig.json"]) {
    cpSync(entry, join(directory, entry), { recursive: true });
  }
  symlinkSync(join(process.cwd(), "node_modules"), join(directory, "node_modules"));
}

interface Change {
  readonly path: string;
  readonly diff: string;
}

/** The blocks that change a file, each below the file's name. */
function readChanges(): Change[] {
  const changes: Change[] = [];
  let path = "";
  for (const match of readFileSync(page, "utf8").matchAll(
    /^`(src\/\S+)`|^```diff\n([\s\S]*?)^```$/gm,
  )) {
    path = match[1] ?? path;
    if (match[2] !== undefined) changes.push({ path, diff: match[2] });
  }
  return changes;
}

/** Inserts the lines with a plus after the line above them, which the file must have exactly once. */
function apply(directory: string, { path, diff }: Change): void {
  const lines = diff.trimEnd().split("\n");
  const anchor = lines[0]?.slice(1) ?? "";
  const added = lines.slice(1).map((line) => line.slice(1));
  const file = join(directory, path);
  const text = readFileSync(file, "utf8").split("\n");
  expect(text.filter((line) => line === anchor)).toEqual([anchor]);
  text.splice(text.indexOf(anchor) + 1, 0, ...added);
  writeFileSync(file, text.join("\n"));
}

/** Where the page says that a mail goes: above `mailTypes`, with its comment. */
const aboveTheRows = "/** The event types, by their names on the wire. */";

function addMail(directory: string, mail: string): void {
  const file = join(directory, "src/email/mails/mail-types.tsx");
  const [before = "", after, ...more] = readFileSync(file, "utf8").split(aboveTheRows);
  expect([typeof after, more]).toEqual(["string", []]);
  writeFileSync(file, `${before}${mail}\n${aboveTheRows}${after}`);
}

async function run(directory: string, command: readonly string[]) {
  const child = Bun.spawn([...command], { cwd: directory, stdout: "pipe", stderr: "pipe" });
  const [output, errors] = await Promise.all([
    new Response(child.stdout).text(),
    new Response(child.stderr).text(),
  ]);
  return { exitCode: await child.exited, output: `${output}${errors}` };
}

const typeCheck = [
  process.execPath,
  "node_modules/typescript/bin/tsc",
  "--noEmit",
  "-p",
  "check.json",
];

describe("docs/adding-a-mail.md", () => {
  test("adds a mail that is decoded, written in every language and previewed", async () => {
    using directory = temporaryDirectory();
    copySources(directory.path);
    const [mail = "", event = ""] = [
      ...readCodeBlocks(page, "tsx"),
      ...readCodeBlocks(page, "json"),
    ];
    addMail(directory.path, mail);
    const changes = readChanges();
    const russian = changes.filter(({ path }) => path.endsWith("ru.ts"));
    expect([changes.length, russian.length]).toEqual([1 + languageTags.length, 1]);
    const check = {
      extends: "./tsconfig.json",
      include: ["src/email/event.ts", "src/email/templates", "src/**/*.d.ts"],
    };
    writeFileSync(join(directory.path, "check.json"), JSON.stringify(check));
    for (const change of changes) if (!russian.includes(change)) apply(directory.path, change);
    const without = await run(directory.path, typeCheck);
    expect(without.output).toMatch(/languages\/ru\.ts.*'order_shipped' is missing/s);
    for (const change of russian) apply(directory.path, change);
    expect(await run(directory.path, typeCheck)).toEqual({ exitCode: 0, output: "" });
    writeFileSync(join(directory.path, "send.ts"), program);
    const sent = await run(directory.path, [process.execPath, "send.ts", event]);
    expect(JSON.parse(sent.output)).toEqual([
      "Su pedido A-1042 está en camino",
      "Your order A-1042 is on its way",
      "Ваш заказ A-1042 в пути",
      ["usual", "without_time"],
    ]);
  });
});

/** Decodes the event of the page, and renders it in its language and in the others. */
const program = `
import { decodeEmailEvent } from "./src/email/event.ts";
import { previewable } from "./src/email/templates/preview.tsx";
import { createMailRenderer } from "./src/email/templates/mail-renderer.tsx";

const render = createMailRenderer({ appName: "Acme", fallbackLocale: "en", codeInSubject: false });
const { event } = decodeEmailEvent(Buffer.from(process.argv[2]));
const subject = (locale) => {
  const mail = render({ ...event, data: { ...event.data, locale } }, { now: event.timestamp });
  if (!mail.text.includes(event.data.tracking_link)) throw new Error("no link");
  return mail.subject;
};
const samples = previewable.find(({ type }) => type === "order_shipped").samples;
console.log(JSON.stringify([subject(event.data.locale), subject("en"), subject("ru"), samples]));
`;
