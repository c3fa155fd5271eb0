import type { MailType } from "../../mails/mail-type.ts";
import type { EventType } from "../../mails/mail-types.ts";
import { mailTypes } from "../../mails/mail-types.ts";
import type { OperatorMail, ViewParts } from "./operator-mail.ts";
import { renderOperatorMail, viewOf } from "./operator-mail.ts";
import type { OperatorView, TemplateProblem } from "./operator-text.ts";

/** Mail programs cut what is longer (Gmail from 102 KB). */
const htmlBytesMax = 100_000;
const subjectCharsMax = 200;
const sampleNow = Date.UTC(2026, 0, 31, 12);

/** Would show up as elements or attributes wherever a value can become markup. */
const hostile = "x onload=y '\"><hr id=z>";

export interface CheckOptions {
  readonly codeInSubject: boolean;
}

/**
 * Renders a mail with all samples of its type and says what would be wrong with it when it is sent:
 * something essential is missing, it is empty or too long, a value could become markup.
 */
export function checkOperatorMail(
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
          problem: `does not show ${name}, without which it is of no use`,
        }));
    };
    const essential = [
      ...mailType.essential,
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

function sampleViews(type: EventType, { say }: OperatorMail): OperatorView[] {
  const mailType: MailType = mailTypes[type];
  return Object.values(mailType.samples(sampleNow)).map((data) => {
    const expiresAt = "expires_in" in data ? sampleNow + 600_000 : undefined;
    const parts: ViewParts = {
      appName: "Acme",
      recipient: "ana@example.com",
      unsubscribeUrl: mailType.kind === "optional" ? "https://example.com/u/token" : undefined,
      filling: mailType.fill({ data, expiresAt, now: sampleNow }, say),
    };
    return viewOf(parts);
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
    add(mail.html.file, `is longer than ${htmlBytesMax} bytes; mail programs would cut it`);
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
      problem: `lets ${name} become markup; put quotes around the attribute it stands in`,
    }));
}

/** The elements with the names of their attributes. */
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

/** Back from how Mustache escapes. */
function unescaped(html: string): string {
  return html
    .replace(/&#x([0-9A-F]{2});/gi, (_, hex) => String.fromCharCode(Number.parseInt(hex, 16)))
    .replaceAll("&#39;", "'")
    .replaceAll("&quot;", '"')
    .replaceAll("&lt;", "<")
    .replaceAll("&gt;", ">")
    .replaceAll("&amp;", "&");
}
