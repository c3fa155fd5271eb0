import type { EmailEvent } from "../event.ts";
import type { Filling, MailType, Texts } from "../mails/mail-type.ts";
import type { EventType } from "../mails/mail-types.ts";
import { mailTypes } from "../mails/mail-types.ts";
import type { Language } from "./languages.ts";
import { isLanguage, languages, languageTags, localeChain } from "./languages.ts";
import { renderOperatorMail, viewOf } from "./overrides/operator-mail.ts";
import type { Overrides } from "./overrides/overrides.ts";
import type { PreparedLetter } from "./prepare-letter.tsx";
import { prepareLetter } from "./prepare-letter.tsx";
import { safeText } from "./safe-text.ts";
import { fillSlots, withoutMarkers } from "./slots.ts";
import { createSpeech } from "./speech.ts";

export interface RenderedMail {
  readonly subject: string;
  readonly text: string;
  readonly html: string;
}

export interface RenderContext {
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

const speeches = Object.fromEntries(
  languageTags.map((tag) => [tag, createSpeech(languages[tag].locale, languages[tag].moment)]),
) as Readonly<Record<Language, ReturnType<typeof createSpeech>>>;

/**
 * Renders mails from letters that are prepared once and kept: one for each type, language, variant
 * and set of values that are there, a few dozen in all. What is left to do for a mail is to escape
 * its values and to put them between the pieces.
 */
export function createMailRenderer(options: MailRendererOptions): RenderMail {
  const appName = safeText(withoutMarkers(options.appName));
  const prepared = new Map<string, PreparedLetter>();
  const { fallbackLocale, codeInSubject, overrides } = options;

  const letterFor = (type: EventType, language: Language, fields: Fields): PreparedLetter => {
    const { filling, values, links, unsubscribable } = fields;
    const key = `${type} ${language} ${filling.variant} ${values} ${links} ${unsubscribable}`;
    let letter = prepared.get(key);
    if (letter === undefined) {
      const { variant } = filling;
      const words = languages[language];
      const of = { type, words, appName, codeInSubject, variant };
      letter = prepareLetter({ ...of, values, links, unsubscribable });
      prepared.set(key, letter);
    }
    return letter;
  };

  return (event, { now, unsubscribeUrl }) => {
    const { eventType: type, data, expiresAt, recipient } = event;
    const chain = localeChain(data.locale, fallbackLocale);
    const language = chain.find(isLanguage) ?? "en";
    const mailType: MailType = mailTypes[type];
    const optional = mailType.kind === "optional" ? unsubscribeUrl : undefined;
    const own = overrides?.find(type, chain);
    const filling = mailType.fill({ data, expiresAt, now }, own?.say ?? speeches[language]);
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
    const letter = letterFor(type, language, fields);
    const texts = [
      safeText(recipient),
      optional ?? "",
      ...fields.values.map((name) => safeText(filling.values[name] ?? "")),
      ...fields.links.map((name) => filling.links[name] ?? ""),
    ];
    return {
      subject: fillSlots(letter.subject, texts),
      text: fillSlots(letter.text, texts),
      html: fillSlots(letter.html, texts.map(Bun.escapeHTML)),
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
