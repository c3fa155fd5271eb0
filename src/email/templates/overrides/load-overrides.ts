import { readdirSync, readFileSync, statSync } from "node:fs";
import { join } from "node:path";
import type { Diagnosis } from "../../../core/diagnosis.ts";
import { errorMessage } from "../../../core/errors.ts";
import type { MailType } from "../../mails/mail-type.ts";
import type { EventType } from "../../mails/mail-types.tsx";
import { eventTypes, isEventType, mailTypes } from "../../mails/mail-types.tsx";
import { createTimeFormat } from "../languages.ts";
import type {
  OperatorMail,
  OperatorText,
  OperatorView,
  Overrides,
  TemplateProblem,
  ViewParts,
} from "./overrides.ts";
import {
  createOverrides,
  namesOf,
  operatorViewOf,
  parseOperatorText,
  renderOperatorMail,
} from "./overrides.ts";

const fileBytesMax = 256 * 1024;
const foldersMax = 100;
const tag = /^(?=.{2,35}$)[a-z]{2,8}(?:-[a-z0-9]{1,8})*$/;
const fileName = /^(\w+)\.(subject\.txt|html|txt)$/;
/** Ignored: editors' files and README. */
const ignored = /^\.|~$|^README/;

interface LoadedOverrides {
  readonly overrides: Overrides;
  readonly problems: readonly TemplateProblem[];
}

interface LoadOptions {
  /** EMAIL_LOCALE: the language of templates outside the language folders. */
  readonly fallbackLocale: string;
  readonly codeInSubject: boolean;
}

/**
 * Reads a directory of templates and renders each with sample data. Any other file is a problem,
 * because a misspelt name would otherwise be ignored silently.
 */
export function loadOverrides(directory: string, options: LoadOptions): LoadedOverrides {
  const problems: TemplateProblem[] = [];
  const entries = listed(directory, ".", problems);
  const folders = entries.filter(({ isFolder }) => isFolder).map(({ name }) => name);
  const read = (folder: string, locale: string) => {
    const reader = { directory, folder, locale, options, problems };
    return readMails(reader, folder === "" ? entries : listed(directory, folder, problems));
  };
  const byLanguage: Record<string, Partial<Record<EventType, OperatorMail>>> = {};
  for (const folder of folders.slice(0, foldersMax)) {
    if (isLocale(folder)) byLanguage[folder] = read(folder, folder);
    else
      problems.push({
        file: folder,
        problem: "is not a language tag in lower case, such as es or es-mx",
      });
  }
  const forAll = read("", options.fallbackLocale);
  return { overrides: createOverrides(forAll, byLanguage), problems };
}

interface Reader {
  readonly directory: string;
  /** "" for the directory itself. */
  readonly folder: string;
  readonly locale: string;
  readonly options: LoadOptions;
  readonly problems: TemplateProblem[];
}

interface Entry {
  readonly name: string;
  readonly isFolder: boolean;
}

function readMails(reader: Reader, entries: readonly Entry[]) {
  const { folder, problems } = reader;
  const files = entries.filter(({ isFolder }) => !isFolder).map(({ name }) => name);
  for (const { name, isFolder } of entries) {
    const type = fileName.exec(name)?.[1] ?? "";
    if (isFolder ? folder === "" : isEventType(type)) continue;
    const problem = `is not a template; expected <type>.subject.txt, <type>.html or <type>.txt with a type of ${eventTypes.join(", ")}`;
    problems.push({ file: join(folder, name), problem });
  }
  const mails: Partial<Record<EventType, OperatorMail>> = {};
  for (const type of eventTypes) {
    if (!files.some((name) => fileName.exec(name)?.[1] === type)) continue;
    const mail = readMail(reader, type, files);
    if (mail !== undefined) mails[type] = mail;
  }
  return mails;
}

function readMail(
  { directory, folder, locale, options, problems }: Reader,
  type: EventType,
  files: readonly string[],
): OperatorMail | undefined {
  const timeFormat = createTimeFormat(locale);
  const readText = (extension: string): OperatorText | undefined => {
    const name = `${type}.${extension}`;
    const file = join(folder, name);
    const source = files.includes(name) ? readSource(join(directory, file), file, problems) : "";
    if (!files.includes(name)) {
      problems.push({
        file,
        problem: "is missing; a mail needs a .subject.txt, an .html and a .txt",
      });
    }
    if (source === undefined || !files.includes(name)) return undefined;
    const parsed = parseOperatorText(file, source, namesOf(type, timeFormat));
    problems.push(...parsed.problems);
    return parsed.text;
  };
  const [subject, html, text] = [readText("subject.txt"), readText("html"), readText("txt")];
  if (subject === undefined || html === undefined || text === undefined) return undefined;
  const mail = { subject, html, text, timeFormat };
  problems.push(...checkOperatorMail(type, mail, options));
  return mail;
}

function readSource(path: string, file: string, problems: TemplateProblem[]): string | undefined {
  try {
    if (statSync(path).size > fileBytesMax) {
      problems.push({ file, problem: `is larger than ${fileBytesMax} bytes` });
      return undefined;
    }
    return new TextDecoder("utf-8", { fatal: true }).decode(readFileSync(path));
  } catch (error) {
    const problem = error instanceof TypeError ? "is not UTF-8" : errorMessage(error);
    problems.push({ file, problem });
    return undefined;
  }
}

function listed(directory: string, folder: string, problems: TemplateProblem[]): Entry[] {
  try {
    return readdirSync(join(directory, folder))
      .filter((name) => !ignored.test(name))
      .sort()
      .map((name) => ({ name, isFolder: statSync(join(directory, folder, name)).isDirectory() }));
  } catch (error) {
    problems.push({ file: folder, problem: `cannot be read: ${errorMessage(error)}` });
    return [];
  }
}

function isLocale(folder: string): boolean {
  return tag.test(folder) && Intl.NumberFormat.supportedLocalesOf([folder]).length === 1;
}

/** Mail programs clip what is longer (Gmail at 102 KB). */
const htmlBytesMax = 100_000;
const subjectCharsMax = 200;
const sampleNow = Date.UTC(2026, 0, 31, 12);

/** A probe value that becomes an element or an attribute where a value is not escaped. */
const hostile = "x onload=y '\"><hr id=z>";

interface CheckOptions {
  readonly codeInSubject: boolean;
}

/**
 * Renders a template with all samples of its type and returns the problems: an essential value is
 * missing, a part is empty or too long, a value could become markup.
 */
function checkOperatorMail(
  type: EventType,
  mail: OperatorMail,
  { codeInSubject }: CheckOptions,
): TemplateProblem[] {
  const mailType: MailType = mailTypes[type];
  const problems = sampleViews(type, mail).flatMap((view) => {
    const rendered = renderOperatorMail(mail, view);
    const missing = (name: string) => {
      const value = String(view[name]);
      const parts = [
        [mail.html.file, unescaped(rendered.html)],
        [mail.text.file, rendered.text],
      ] as const;
      return parts
        .filter(([, text]) => !text.includes(value))
        .map(([file]) => ({
          file,
          problem: `does not show ${name}, which the mail must show`,
        }));
    };
    const essential = [
      ...mailType.essential.filter((name) => view[name]),
      ...(view["unsubscribe_link"] ? ["unsubscribe_link"] : []),
    ];
    return [
      ...essential.flatMap(missing),
      ...checkSubject(mail, rendered.subject, codeInSubject ? undefined : view["code"]),
      ...checkSizes(mail, rendered),
      ...checkMarkup(mail, view),
    ];
  });
  return [...new Map(problems.map((one) => [`${one.file} ${one.problem}`, one])).values()];
}

function sampleViews(type: EventType, { timeFormat }: OperatorMail): OperatorView[] {
  const mailType: MailType = mailTypes[type];
  return Object.values(mailType.samples(sampleNow)).map((data) => {
    const expiresAt = "expires_in" in data ? sampleNow + 600_000 : undefined;
    const parts: ViewParts = {
      appName: "Acme",
      recipient: "ana@example.com",
      unsubscribeUrl: mailType.kind === "optional" ? "https://example.com/u/token" : undefined,
      view: mailType.view({ data, expiresAt, now: sampleNow }, timeFormat),
    };
    return operatorViewOf(parts);
  });
}

function checkSubject(
  { subject: { file } }: OperatorMail,
  subject: string,
  code: string | true | undefined,
): TemplateProblem[] {
  if (subject === "") return [{ file, problem: "is empty" }];
  if (subject.length > subjectCharsMax) {
    return [{ file, problem: `is longer than ${subjectCharsMax} characters` }];
  }
  if (typeof code !== "string" || !subject.includes(code)) return [];
  return [{ file, problem: "shows the code; that needs EMAIL_CODE_IN_SUBJECT=true" }];
}

function checkSizes(
  mail: OperatorMail,
  rendered: { readonly html: string; readonly text: string },
): TemplateProblem[] {
  const problems: TemplateProblem[] = [];
  const add = (file: string, problem: string) => problems.push({ file, problem });
  if (rendered.html.trim() === "") add(mail.html.file, "is empty");
  if (rendered.text.trim() === "") add(mail.text.file, "is empty");
  if (Buffer.byteLength(rendered.html) > htmlBytesMax) {
    add(mail.html.file, `is longer than ${htmlBytesMax} bytes; mail programs would clip it`);
  }
  return problems;
}

function checkMarkup({ html }: OperatorMail, view: OperatorView): TemplateProblem[] {
  const outline = outlineOf(html.render(view));
  return Object.entries(view)
    .filter(([, value]) => typeof value === "string")
    .filter(([name]) => outlineOf(html.render({ ...view, [name]: hostile })) !== outline)
    .map(([name]) => ({
      file: html.file,
      problem: `lets ${name} become markup; quote the attribute that it is in`,
    }));
}

/** The elements, each with the names of its attributes. */
function outlineOf(html: string): string {
  const outline: string[] = [];
  new HTMLRewriter()
    .on("*", {
      element: ({ tagName, attributes }) => {
        outline.push(tagName, ...[...attributes].map(([name]) => name));
      },
    })
    .transform(html);
  return outline.join(" ");
}

/** The inverse of Mustache's escaping. */
function unescaped(html: string): string {
  return html
    .replace(/&#x([0-9A-F]{2});/gi, (_, hex) => String.fromCharCode(Number.parseInt(hex, 16)))
    .replaceAll("&#39;", "'")
    .replaceAll("&quot;", '"')
    .replaceAll("&lt;", "<")
    .replaceAll("&gt;", ">")
    .replaceAll("&amp;", "&");
}

/** doctor on TEMPLATE_DIR: checks whether a service would start with the current templates. */
export function diagnoseTemplates(
  directory: string,
  problems: readonly TemplateProblem[],
  diagnosis: Diagnosis,
): void {
  for (const { file, line, problem } of problems) {
    const place = line === undefined ? file : `${file}:${line}`;
    const fix = `Fix ${place} in ${directory}; instant preview shows the result at once`;
    diagnosis.fault("templates.sound", `${place} ${problem}`, fix);
  }
  if (problems.length > 0) return;
  diagnosis.ok("templates.sound", "All templates render with sample data");
}
