import Mustache from "mustache";
import { lowerFirst } from "../../../core/failure-line.ts";

/** One text of the operator's: a subject, an HTML or a text part, in Mustache. */
export interface OperatorText {
  /** Relative to TEMPLATE_DIR. */
  readonly file: string;
  render(view: OperatorView): string;
}

/** What its tags may name: a value that is absent counts as false in a section. */
export type OperatorView = Readonly<Record<string, string | true | undefined>>;

/** What is wrong, and in which line of which file. */
export interface TemplateProblem {
  readonly file: string;
  readonly line?: number;
  readonly problem: string;
}

export interface ParsedText {
  readonly text?: OperatorText;
  readonly problems: readonly TemplateProblem[];
}

/** A tag or a text of a parsed template: kind, name, where it starts, where it ends, what it holds. */
type Token = readonly [
  kind: string,
  name: string,
  start: number,
  end: number,
  held?: Token[] | string,
];

const html = (value: string) => Mustache.escape(value);
const plain = (value: string) => value;

/**
 * Reads a template: of Mustache it takes values `{{name}}`, sections `{{#name}}`, `{{^name}}` and
 * comments. All that could fail while mails are sent is refused here: whatever names no value, and
 * in HTML whatever is not escaped. Parsed once; rendering never throws.
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
  const [, what = message, position] = /^(.*?)(?: at (\d+))?$/s.exec(message) ?? [];
  const problem = `is not Mustache: ${lowerFirst(what)}`;
  return position === undefined
    ? { file, problem }
    : { file, line: lineAt(Number(position)), problem };
}

function tagsOf(tokens: readonly Token[]): Token[] {
  return tokens.flatMap((token) => {
    const held = token[4]; // of a partial it is the white space before it
    return [token, ...(Array.isArray(held) ? tagsOf(held) : [])];
  });
}

function tagProblem(
  kind: string,
  name: string,
  names: readonly string[],
  isHtml: boolean,
): string | undefined {
  if (kind === "text" || kind === "!") return undefined;
  if (kind === ">") return `has a partial, {{> ${name}}}; only values and sections are known`;
  if (kind === "=") return "changes the delimiters; they are always {{ and }}";
  if (kind === "&" && isHtml) return `does not escape ${name}; write {{${name}}}`;
  if (names.includes(name)) return undefined;
  return `has no value named ${name}; there are ${names.join(", ")}`;
}
