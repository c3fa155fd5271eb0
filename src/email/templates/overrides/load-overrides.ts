import { readdirSync, readFileSync, statSync } from "node:fs";
import { join } from "node:path";
import { errorMessage } from "../../../core/errors.ts";
import type { EventType } from "../../mails/mail-types.ts";
import { eventTypes, isEventType } from "../../mails/mail-types.ts";
import { createSpeech } from "../speech.ts";
import { checkOperatorMail } from "./check-operator-mail.ts";
import type { OperatorMail } from "./operator-mail.ts";
import { namesOf } from "./operator-mail.ts";
import type { OperatorText, TemplateProblem } from "./operator-text.ts";
import { parseOperatorText } from "./operator-text.ts";
import type { Overrides } from "./overrides.ts";
import { createOverrides } from "./overrides.ts";

const fileBytesMax = 256 * 1024;
const foldersMax = 100;
const tag = /^(?=.{2,35}$)[a-z]{2,8}(?:-[a-z0-9]{1,8})*$/;
const fileName = /^(\w+)\.(subject\.txt|html|txt)$/;
/** Of editors and people, not of mails. */
const ignored = /^\.|~$|^README/;

export interface LoadedOverrides {
  readonly overrides: Overrides;
  readonly problems: readonly TemplateProblem[];
}

export interface LoadOptions {
  /** EMAIL_LOCALE: the language of what stands beside the folders. */
  readonly fallbackLocale: string;
  readonly codeInSubject: boolean;
}

/**
 * Reads a directory of templates, and renders each with sample data. What it has beside templates
 * is a problem too: a name that is only almost right would else be left out without a word.
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
      problems.push({ file: folder, problem: "is no language in lower case, such as es or es-mx" });
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
    const problem = `is no template: there are <type>.subject.txt, .html and .txt for the types ${eventTypes.join(", ")}`;
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
  const say = createSpeech(locale);
  const readText = (extension: string): OperatorText | undefined => {
    const name = `${type}.${extension}`;
    const file = join(folder, name);
    const source = files.includes(name) ? readSource(join(directory, file), file, problems) : "";
    if (!files.includes(name)) {
      problems.push({ file, problem: "is missing; a mail is a .subject.txt, an .html and a .txt" });
    }
    if (source === undefined || !files.includes(name)) return undefined;
    const parsed = parseOperatorText(file, source, namesOf(type, say));
    problems.push(...parsed.problems);
    return parsed.text;
  };
  const [subject, html, text] = [readText("subject.txt"), readText("html"), readText("txt")];
  if (subject === undefined || html === undefined || text === undefined) return undefined;
  const mail = { subject, html, text, say };
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
