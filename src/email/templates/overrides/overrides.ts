import Mustache from "mustache";
import { lowerFirst } from "../../../core/errors.ts";
import { isLanguage } from "../../../core/languages.ts";
import type { MailType, MailView, TimeFormat } from "../../mails/mail-type.ts";
import type { EventType } from "../../mails/mail-types.tsx";
import { mailTypes } from "../../mails/mail-types.tsx";

/**
 * The operator's templates (TEMPLATE_DIR), which replace the built-in ones: parsing, the names that
 * tags may use, and which template applies to an event. load-overrides.ts reads and checks them.
 */

/** One template: a subject, an HTML or a text part, in Mustache. */
export interface OperatorText {
  /** Relative to TEMPLATE_DIR. */
  readonly file: string;
  render(view: OperatorView): string;
}

/** The values that its tags use; an absent one counts as false in a section. */
export type OperatorView = Readonly<Record<string, string | true | undefined>>;

export interface TemplateProblem {
  /** Relative to TEMPLATE_DIR. */
  readonly file: string;
  readonly line?: number;
  readonly problem: string;
}

interface ParsedText {
  readonly text?: OperatorText;
  readonly problems: readonly TemplateProblem[];
}

/** A token of a parsed template, as Mustache represents it. */
type Token = readonly [
  kind: string,
  name: string,
  start: number,
  end: number,
  children?: Token[] | string,
];

const html = (value: string) => Mustache.escape(value);
const plain = (value: string) => value;

/**
 * Parses a template. It supports values `{{name}}`, sections `{{#name}}`, `{{^name}}` and comments.
 * Whatever could fail when sending is refused here: a tag with an unknown value, and in HTML one
 * that does not escape. Rendering never throws.
 */
export function parseOperatorText(
  file: string,
  source: string,
  names: readonly string[],
): ParsedText {
  const lineAt = (position: number) => source.slice(0, position).split("\n").length;
  const isHtml = file.endsWith(".html");
  const writer = new Mustache.Writer();
  let tokens: Token[];
  try {
    tokens = writer.parse(source) as Token[];
  } catch (error) {
    return { problems: [parseProblem(file, error, lineAt)] };
  }
  const problems = tagsOf(tokens).flatMap(([kind, name, start]) => {
    const problem = tagProblem(kind, name, names, isHtml);
    return problem === undefined ? [] : [{ file, line: lineAt(start), problem }];
  });
  if (problems.length > 0) return { problems };
  const config = { escape: isHtml ? html : plain };
  const render = (view: OperatorView) => {
    const context = new Mustache.Context(view);
    return writer.renderTokens(tokens as never, context, undefined, source, config);
  };
  return { text: { file, render }, problems: [] };
}

function parseProblem(
  file: string,
  error: unknown,
  lineAt: (position: number) => number,
): TemplateProblem {
  const message = error instanceof Error ? error.message : String(error);
  const [, detail = message, position] = /^(.*?)(?: at (\d+))?$/s.exec(message) ?? [];
  const problem = `is not Mustache: ${lowerFirst(detail)}`;
  return position === undefined
    ? { file, problem }
    : { file, line: lineAt(Number(position)), problem };
}

function tagsOf(tokens: readonly Token[]): Token[] {
  return tokens.flatMap((token) => {
    const children = token[4]; // a string for a partial: the white space before it
    return [token, ...(Array.isArray(children) ? tagsOf(children) : [])];
  });
}

function tagProblem(
  kind: string,
  name: string,
  names: readonly string[],
  isHtml: boolean,
): string | undefined {
  if (kind === "text" || kind === "!") return undefined;
  if (kind === ">") return `has a partial, {{> ${name}}}; only values and sections are supported`;
  if (kind === "=") return "changes the delimiters; they are always {{ and }}";
  if (kind === "&" && isHtml) return `does not escape ${name}; write {{${name}}}`;
  if (names.includes(name)) return undefined;
  return `uses an unknown value, ${name}; known are ${names.join(", ")}`;
}

/** The operator's template of one mail in one language. */
export interface OperatorMail {
  readonly subject: OperatorText;
  readonly html: OperatorText;
  readonly text: OperatorText;
  /** The time format of that language. */
  readonly timeFormat: TimeFormat;
}

export interface ViewParts {
  readonly appName: string;
  readonly recipient: string;
  readonly unsubscribeUrl: string | undefined;
  readonly view: MailView;
}

/** Values of every mail, besides those of its type. */
const everywhere = ["app_name", "recipient"] as const;

/** The values and sections that templates of a type may name. */
export function namesOf(type: EventType, timeFormat: TimeFormat): readonly string[] {
  const mailType: MailType = mailTypes[type];
  const [data = {}] = Object.values(mailType.samples(0));
  const { values, links } = mailType.view({ data, expiresAt: undefined, now: 0 }, timeFormat);
  const variants = mailType.variants.length > 1 ? mailType.variants : [];
  const unsubscribe = mailType.kind === "optional" ? ["unsubscribe_link"] : [];
  return [
    ...Object.keys(values),
    ...Object.keys(links),
    ...variants,
    ...everywhere,
    ...unsubscribe,
  ];
}

export function operatorViewOf({
  appName,
  recipient,
  unsubscribeUrl,
  view,
}: ViewParts): OperatorView {
  return {
    app_name: appName,
    recipient,
    unsubscribe_link: unsubscribeUrl,
    [view.variant]: true,
    ...view.links,
    ...view.values,
  };
}

/**
 * White space in the subject, such as the file's last line break, is collapsed to single spaces.
 */
export function renderOperatorMail(mail: OperatorMail, view: OperatorView) {
  return {
    subject: mail.subject.render(view).replace(/\s+/g, " ").trim(),
    html: mail.html.render(view),
    text: mail.text.render(view),
  };
}

/** All of the operator's templates. */
export interface Overrides {
  /** The languages that have a folder, in lower case. */
  readonly languages: readonly string[];
  /**
   * The template that replaces the built-in one, for the languages in `chain` in turn: from the
   * language's folder, else from outside the folders, which applies to every other language. If
   * there is none outside the folders, our own messages in a preferred language win over the folder
   * of a later one.
   */
  find(type: EventType, chain: readonly string[]): OperatorMail | undefined;
}

type Mails = Readonly<Partial<Record<EventType, OperatorMail>>>;

export function createOverrides(
  forAll: Mails,
  byLanguage: Readonly<Record<string, Mails>>,
): Overrides {
  return {
    languages: Object.keys(byLanguage),
    find: (type, chain) => {
      for (const tag of chain) {
        const own = byLanguage[tag]?.[type];
        if (own !== undefined) return own;
        if (forAll[type] === undefined && isLanguage(tag)) return undefined;
      }
      return forAll[type];
    },
  };
}
