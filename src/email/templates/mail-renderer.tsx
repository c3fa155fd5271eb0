import type { Child } from "hono/jsx";
import { isValidElement } from "hono/jsx";
import type { EmailEvent } from "../event.ts";
import type { ContentParts, Filling, MailType, Texts } from "../mails/mail-type.ts";
import type { EventType } from "../mails/mail-types.tsx";
import { mailTypes } from "../mails/mail-types.tsx";
import { Frame } from "./frame.tsx";
import type { Language } from "./languages.ts";
import { isLanguage, languages, languageTags, localeChain } from "./languages.ts";
import type { Overrides } from "./overrides/overrides.ts";
import { renderOperatorMail, viewOf } from "./overrides/overrides.ts";
import type { LanguageMessages, Slotted } from "./texts.ts";
import {
  createTimeFormat,
  cutAtMarkers,
  fillSlots,
  markerOf,
  safeText,
  withoutMarkers,
} from "./texts.ts";

/** Elements that stand in a paragraph, or in a line, of their own. */
const paragraphs = new Set(["h1", "h2", "p", "table", "ul"]);
const lines = new Set(["tr", "li", "br"]);

/**
 * The words of a letter without its looks, from the same elements: paragraphs with an empty line
 * between them, a line for each row of a table, a link as its label and then its address, an
 * address that was shown only once. What is hidden from the ear (`aria-hidden`) is left out, and the head.
 */
function plainText(content: Child): string {
  return `${textOf(content, new Set())
    .replace(/[ \n]*\n\n[ \n]*/g, "\n\n")
    .replace(/ *\n */g, "\n")
    .replace(/ {2,}/g, " ")
    .trim()}\n`;
}

/** `shown`: the addresses that stand in the text already. */
function textOf(node: Child | undefined, shown: Set<string>): string {
  if (Array.isArray(node)) return node.map((child) => textOf(child, shown)).join("");
  if (typeof node === "string" || typeof node === "number") return String(node);
  if (!isValidElement(node)) return "";
  const { tag, props, children } = node;
  if (typeof tag === "function") return textOf(tag({ ...props, children }), shown);
  if (tag === "head" || props["aria-hidden"] === "true") return "";
  const text = textOf(children, shown);
  if (tag === "a") return linkOf(text, String(props["href"]), shown);
  if (tag === "td") return `${text} `;
  if (paragraphs.has(tag)) return `\n\n${text}\n\n`;
  return lines.has(tag) ? `\n${text}` : text;
}

function linkOf(text: string, href: string, shown: Set<string>): string {
  if (text !== href) {
    shown.add(href);
    return `${text}:\n${href}`;
  }
  return shown.has(href) ? "" : href;
}

/** One letter in one language, ready but for its values: the n-th slot is the n-th of `names`. */
interface PreparedContent {
  readonly subject: Slotted;
  readonly html: Slotted;
  readonly text: Slotted;
}

interface Preparation {
  readonly type: EventType;
  readonly messages: LanguageMessages;
  readonly appName: string;
  readonly codeInSubject: boolean;
  readonly variant: string;
  /** The values and links that are there; the recipient and the link to unsubscribe beside them. */
  readonly values: readonly string[];
  readonly links: readonly string[];
  readonly unsubscribable: boolean;
}

/** In this order the values of a mail are handed to its slots. */
const recipientSlot = 0;
const unsubscribeSlot = 1;
const valuesSlot = 2;

function prepareContent(preparation: Preparation): PreparedContent {
  const { type, messages, appName, values, links } = preparation;
  const content = mailTypes[type].content({
    messages: messages.mails[type],
    appName,
    values: markers(values, valuesSlot),
    links: markers(links, valuesSlot + values.length),
    variant: preparation.variant,
    codeInSubject: preparation.codeInSubject,
  } as ContentParts<never>);
  const unsubscribe = { label: messages.unsubscribe, href: markerOf(unsubscribeSlot) };
  const page = (
    <Frame
      appName={appName}
      language={messages.locale}
      direction={messages.direction}
      title={content.subject}
      preheader={content.preheader}
      sentTo={messages.sentTo(markerOf(recipientSlot), appName)}
      unsubscribe={preparation.unsubscribable ? unsubscribe : undefined}
    >
      {content.body}
    </Frame>
  );
  return {
    subject: cutAtMarkers(content.subject),
    html: cutAtMarkers(`<!doctype html>\n${inLines(page.toString())}\n`),
    text: cutAtMarkers(plainText(page)),
  };
}

function markers(names: readonly string[], from: number): Texts {
  return Object.fromEntries(names.map((name, index) => [name, markerOf(from + index)]));
}

/**
 * Breaks the page into lines where white space means nothing. Lines of less than 998 characters may
 * be sent as they are (RFC 5322, 2.1.1), which spares most mails an encoding that is slow and
 * makes the source hard to read.
 */
function inLines(html: string): string {
  return html.replace(
    /<\/(?:title|style|head|div|p|h1|td|tr|table|body)>|<tr>|<meta[^>]*>/g,
    "$&\n",
  );
}

export interface RenderedMail {
  readonly subject: string;
  readonly text: string;
  readonly html: string;
}

interface RenderContext {
  /** Unix ms of sending: what a mail says about time is what remains then. */
  readonly now: number;
  /** Where the recipient of an optional mail declines such mails. */
  readonly unsubscribeUrl?: string;
}

/** One event → subject, HTML and text. Pure: no clock, no I/O. */
export type RenderMail = (event: EmailEvent, context: RenderContext) => RenderedMail;

export interface MailRendererOptions {
  /** APP_NAME: who the mail says it is from. */
  readonly appName: string;
  /** EMAIL_LOCALE: for events without a locale, or with one that nobody wrote words for. */
  readonly fallbackLocale: string;
  /** EMAIL_CODE_IN_SUBJECT. */
  readonly codeInSubject: boolean;
  /** Templates of the operator's own, in place of ours. */
  readonly overrides?: Overrides;
}

const timeFormats = Object.fromEntries(
  languageTags.map((tag) => [tag, createTimeFormat(languages[tag].locale, languages[tag].aMoment)]),
) as Readonly<Record<Language, ReturnType<typeof createTimeFormat>>>;

/**
 * Renders mails from letters that are prepared once and kept: one for each type, language, variant
 * and set of values that are there, a few dozen in all. What is left to do for a mail is to escape
 * its values and to put them between the pieces.
 */
export function createMailRenderer(options: MailRendererOptions): RenderMail {
  const appName = safeText(withoutMarkers(options.appName));
  const prepared = new Map<string, PreparedContent>();
  const { fallbackLocale, codeInSubject, overrides } = options;

  const contentFor = (type: EventType, language: Language, fields: Fields): PreparedContent => {
    const { filling, values, links, unsubscribable } = fields;
    const key = `${type} ${language} ${filling.variant} ${values} ${links} ${unsubscribable}`;
    let content = prepared.get(key);
    if (content === undefined) {
      const { variant } = filling;
      const messages = languages[language];
      const of = { type, messages, appName, codeInSubject, variant };
      content = prepareContent({ ...of, values, links, unsubscribable });
      prepared.set(key, content);
    }
    return content;
  };

  return (event, { now, unsubscribeUrl }) => {
    const { eventType: type, data, expiresAt, recipient } = event;
    const chain = localeChain(data.locale, fallbackLocale);
    const language = chain.find(isLanguage) ?? "en";
    const mailType: MailType = mailTypes[type];
    const optional = mailType.kind === "optional" ? unsubscribeUrl : undefined;
    const own = overrides?.find(type, chain);
    const filling = mailType.fill(
      { data, expiresAt, now },
      own?.timeFormat ?? timeFormats[language],
    );
    if (own !== undefined) {
      const view = viewOf({ appName, recipient, unsubscribeUrl: optional, filling });
      return renderOperatorMail(own, view);
    }
    const fields = {
      filling,
      values: presentIn(filling.values),
      links: presentIn(filling.links),
      unsubscribable: optional !== undefined,
    };
    const content = contentFor(type, language, fields);
    const texts = [
      safeText(recipient),
      optional ?? "",
      ...fields.values.map((name) => safeText(filling.values[name] ?? "")),
      ...fields.links.map((name) => filling.links[name] ?? ""),
    ];
    return {
      subject: fillSlots(content.subject, texts),
      text: fillSlots(content.text, texts),
      html: fillSlots(content.html, texts.map(Bun.escapeHTML)),
    };
  };
}

interface Fields {
  readonly filling: Filling;
  readonly values: readonly string[];
  readonly links: readonly string[];
  readonly unsubscribable: boolean;
}

function presentIn(texts: Texts): string[] {
  return Object.keys(texts).filter((name) => texts[name] !== undefined);
}
