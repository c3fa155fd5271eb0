import type { Child } from "hono/jsx";
import { isValidElement } from "hono/jsx";
import type { Language } from "../../core/languages.ts";
import { isLanguage, languageTags, localeChain, traitsOf } from "../../core/languages.ts";
import { shownAddress } from "../../core/shown-address.ts";
import type { EmailEvent } from "../event.ts";
import type { MailBodies, MailBody } from "../mailer/mailer.ts";
import type { ContentParts, MailType, MailView, Texts } from "../mails/mail-type.ts";
import type { EventType } from "../mails/mail-types.tsx";
import { mailTypes } from "../mails/mail-types.tsx";
import { memoize } from "../memoize.ts";
import { createTimeFormat, mailMessages } from "./languages.ts";
import { Layout } from "./layout.tsx";
import type { Overrides } from "./overrides/overrides.ts";
import { operatorViewOf, renderOperatorMail } from "./overrides/overrides.ts";

/** `html` and `bodies` are made when they are read. */
export interface RenderedMail {
  readonly subject: string;
  readonly text: string;
  readonly html: string;
  /** Undefined for an operator's template. */
  readonly bodies?: MailBodies | undefined;
}

interface RenderContext {
  /** Unix ms of sending: "valid for 10 minutes" counts from then. */
  readonly now: number;
  /** The unsubscribe link of optional mails. */
  readonly unsubscribeUrl?: string;
}

/** One event → subject, HTML and text. Pure: no clock, no I/O. */
export type RenderMail = (event: EmailEvent, context: RenderContext) => RenderedMail;

export interface MailRendererOptions {
  /** APP_NAME, shown as the sender. */
  readonly appName: string;
  /** EMAIL_LOCALE: for events without a locale, or with one that has no messages. */
  readonly fallbackLocale: string;
  /** EMAIL_CODE_IN_SUBJECT. */
  readonly codeInSubject: boolean;
  /** The operator's templates, which replace the built-in ones. */
  readonly overrides?: Overrides;
}

const timeFormats = Object.fromEntries(
  languageTags.map((tag) => [
    tag,
    createTimeFormat(traitsOf(tag).locale, mailMessages[tag].aMoment),
  ]),
) as Readonly<Record<Language, ReturnType<typeof createTimeFormat>>>;

const localesMax = 200;

/**
 * Renders mails from contents that are prepared on first use and kept: one per type, language,
 * variant and set of values present, at most some 20 for a language. For each mail, only its values are inserted into the
 * slots, escaped where it is HTML. An operator's template takes precedence.
 */
export function createMailRenderer(options: MailRendererOptions): RenderMail {
  const appName = safeText(withoutMarkers(options.appName));
  const { fallbackLocale, codeInSubject, overrides } = options;
  const prepared = new Map<string, PreparedContent>();
  const languageOf = memoize((locale: string | undefined) => {
    const chain = localeChain(locale, fallbackLocale);
    return { chain, language: chain.find(isLanguage) ?? "en" };
  }, localesMax);

  return (event, { now, unsubscribeUrl }) => {
    const { eventType: type, data, expiresAt } = event;
    const { chain, language } = languageOf(data.locale);
    const mailType: MailType = mailTypes[type];
    const own = overrides?.find(type, chain);
    const format = own?.timeFormat ?? timeFormats[language];
    const view = mailType.view({ data, expiresAt, now }, format);
    const recipient = safeText(shownAddress(event.recipient));
    const declineUrl = mailType.kind === "optional" ? unsubscribeUrl : undefined;
    if (own !== undefined) {
      const parts = { appName, recipient, unsubscribeUrl: declineUrl, view: safeView(view) };
      return renderOperatorMail(own, operatorViewOf(parts));
    }
    const texts = [recipient, declineUrl ?? ""]; // in the order of the slots
    const values = addTexts(texts, view.values, safeText);
    const links = addTexts(texts, view.links, (link) => link);
    const unsubscribable = declineUrl !== undefined;
    const id = `${type} ${language} ${view.variant} ${unsubscribable} ${values}/${links}`;
    let content = prepared.get(id);
    if (content === undefined) {
      const key = { type, language, variant: view.variant, values, links, unsubscribable };
      content = prepareContent(key, appName, codeInSubject);
      prepared.set(id, content);
    }
    return new SlottedMail(content, texts);
  };
}

class SlottedMail implements RenderedMail {
  readonly subject: string;
  readonly text: string;
  readonly #content: PreparedContent;
  readonly #texts: readonly string[];

  constructor(content: PreparedContent, texts: readonly string[]) {
    this.#content = content;
    this.#texts = texts;
    this.subject = fillSlots(content.subject, texts);
    this.text = fillSlots(content.text, texts);
  }

  get html(): string {
    return fillSlots(this.#content.html, this.#texts.map(Bun.escapeHTML));
  }

  get bodies(): MailBodies {
    const { text, html } = this.#content;
    return {
      text: bodyOf(text, this.#texts),
      html: bodyOf(html, this.#texts.map(Bun.escapeHTML)),
    };
  }
}

function bodyOf({ pieces, slots }: SlottedText, texts: readonly string[]): MailBody {
  return { pieces, values: slots.map((slot) => texts[slot] ?? "") };
}

/** Adds the texts that are present, and returns their names. */
function addTexts(to: string[], texts: Texts, safe: (text: string) => string): string {
  let names = "";
  for (const name in texts) {
    const text = texts[name];
    if (text === undefined) continue;
    to.push(safe(text));
    names += ` ${name}`;
  }
  return names;
}

function safeView({ variant, values, links }: MailView): MailView {
  const safe: Record<string, string | undefined> = {};
  for (const name in values) {
    const value = values[name];
    safe[name] = value === undefined ? undefined : safeText(value);
  }
  return { variant, values: safe, links };
}

/**
 * Invisible and never intended: they reverse the direction of the following text, or break a line.
 */
const disorder = /[\u2028\u2029\u202A-\u202E\u2066-\u2069\uFDD0\uFDD1]/g;
const rightToLeft =
  /[\p{Script=Hebrew}\p{Script=Arabic}\p{Script=Syriac}\p{Script=Thaana}\p{Script=Nko}\p{Script=Adlam}]/u;
const ascii = /^[\x20-\x7e]*$/;

/**
 * Makes an external value safe inside our texts, HTML or plain: a right-to-left value is isolated. In
 * right-to-left languages the text around the slots isolates every value.
 */
function safeText(text: string): string {
  if (ascii.test(text)) return text;
  const orderly = text.toWellFormed().replace(disorder, "");
  return rightToLeft.test(orderly) ? isolated(orderly) : orderly;
}

/** U+2068 and U+2069 (UAX 9): whatever runs the other way inside leaves the text around it alone. */
function isolated(text: string): string {
  return `\u2068${text}\u2069`;
}

/** The key of a prepared content. */
interface ContentKey {
  readonly type: EventType;
  readonly language: Language;
  readonly variant: string;
  /** The names of the values and links that are present, each after a blank. */
  readonly values: string;
  readonly links: string;
  readonly unsubscribable: boolean;
}

/** A mail in one language, complete except for its values. */
interface PreparedContent {
  readonly subject: SlottedText;
  readonly html: SlottedText;
  readonly text: SlottedText;
}

/** The order of the slots: the recipient, the unsubscribe link, the values, the links. */
const recipientSlot = 0;
const unsubscribeSlot = 1;
const valuesSlot = 2;

function prepareContent(
  { type, language, variant, unsubscribable, ...present }: ContentKey,
  appName: string,
  codeInSubject: boolean,
): PreparedContent {
  const messages = mailMessages[language];
  const { locale, direction } = traitsOf(language);
  const inText = direction === "rtl" ? isolated : (text: string) => text;
  const values = present.values.split(" ").slice(1);
  const links = present.links.split(" ").slice(1);
  const content = mailTypes[type].content({
    messages: messages.mails[type],
    appName: inText(appName),
    values: markers(values, valuesSlot, inText),
    links: markers(links, valuesSlot + values.length),
    variant,
    codeInSubject,
  } as ContentParts<never>);
  const unsubscribe = { label: messages.unsubscribe, href: markerOf(unsubscribeSlot) };
  const page = (
    <Layout
      appName={appName}
      language={locale}
      direction={direction}
      title={content.subject}
      preheader={content.preheader}
      sentTo={messages.sentTo(inText(markerOf(recipientSlot)), inText(appName))}
      unsubscribe={unsubscribable ? unsubscribe : undefined}
    >
      {content.body}
    </Layout>
  );
  return {
    subject: cutAtMarkers(content.subject),
    html: cutAtMarkers(`<!doctype html>\n${inLines(page.toString())}\n`),
    text: cutAtMarkers(plainText(page, messages.colon)),
  };
}

function markers(
  names: readonly string[],
  from: number,
  inText = (marker: string) => marker,
): Texts {
  return Object.fromEntries(names.map((name, index) => [name, inText(markerOf(from + index))]));
}

/**
 * Breaks the page into lines where white space is insignificant. Lines under 998 characters can be
 * sent unencoded (RFC 5322, 2.1.1), which saves most mails an encoding that is slow and makes the
 * source hard to read.
 */
function inLines(html: string): string {
  return html.replace(
    /<\/(?:title|style|head|div|p|h1|td|tr|table|body)>|<tr>|<meta[^>]*>/g,
    "$&\n",
  );
}

/** Elements that form a paragraph or a line. */
const paragraphs = new Set(["h1", "h2", "p", "table", "ul"]);
const lines = new Set(["tr", "li", "br"]);

/**
 * The text part, from the same elements as the HTML: paragraphs with an empty line between them, a
 * line for each row of a table, a link as its label and then its address (each address once). The
 * head and `aria-hidden` elements are left out.
 */
function plainText(content: Child, colon: string): string {
  return `${textOf(content, { colon, shown: new Set() })
    .replace(/[ \n]*\n\n[ \n]*/g, "\n\n")
    .replace(/ *\n */g, "\n")
    .replace(/ {2,}/g, " ")
    .trim()}\n`;
}

interface TextContext {
  readonly colon: string;
  /** The addresses that the text already has. */
  readonly shown: Set<string>;
}

function textOf(node: Child | undefined, context: TextContext): string {
  if (Array.isArray(node)) return node.map((child) => textOf(child, context)).join("");
  if (typeof node === "string" || typeof node === "number") return String(node);
  if (!isValidElement(node)) return "";
  const { tag, props, children } = node;
  if (typeof tag === "function") return textOf(tag({ ...props, children }), context);
  if (tag === "head" || props["aria-hidden"] === "true") return "";
  const text = textOf(children, context);
  if (tag === "a") return linkText(text, String(props["href"]), context);
  if (tag === "td") return `${text} `;
  if (paragraphs.has(tag)) return `\n\n${text}\n\n`;
  return lines.has(tag) ? `\n${text}` : text;
}

function linkText(text: string, href: string, { colon, shown }: TextContext): string {
  if (text !== href) {
    shown.add(href);
    return `${text}${colon}\n${href}`;
  }
  return shown.has(href) ? "" : href;
}

/**
 * Text with slots for values. It is written with markers in place of the values and cut at them
 * once; a mail puts its values between the pieces. Values are never searched for markers, so no
 * value can be mistaken for one.
 */
interface SlottedText {
  /** One more than there are slots. */
  readonly pieces: readonly string[];
  /** For each gap the number of its value. */
  readonly slots: readonly number[];
}

/** Unicode noncharacters, which no valid text contains. */
const marker = /\uFDD0(\d+)\uFDD1/;

function markerOf(slot: number): string {
  return `\uFDD0${slot}\uFDD1`;
}

/** For text that is not a value, such as the name of the application. */
function withoutMarkers(text: string): string {
  return text.replace(/[\uFDD0\uFDD1]/g, "");
}

function cutAtMarkers(text: string): SlottedText {
  const parts = text.split(marker);
  return {
    pieces: parts.filter((_part, index) => index % 2 === 0),
    slots: parts.filter((_part, index) => index % 2 === 1).map(Number),
  };
}

function fillSlots({ pieces, slots }: SlottedText, values: readonly string[]): string {
  let text = pieces[0] ?? "";
  for (let at = 0; at < slots.length; at += 1) {
    text += (values[slots[at] ?? 0] ?? "") + (pieces[at + 1] ?? "");
  }
  return text;
}
