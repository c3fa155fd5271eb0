import type { LetterParts, Texts } from "../mails/mail-type.ts";
import type { EventType } from "../mails/mail-types.ts";
import { mailTypes } from "../mails/mail-types.ts";
import { Frame } from "./frame.tsx";
import type { LanguageWords } from "./language-words.ts";
import { plainText } from "./plain-text.ts";
import type { Slotted } from "./slots.ts";
import { cutAtMarkers, markerOf } from "./slots.ts";

/** One letter in one language, ready but for its values: the n-th slot is the n-th of `names`. */
export interface PreparedLetter {
  readonly subject: Slotted;
  readonly html: Slotted;
  readonly text: Slotted;
}

export interface Preparation {
  readonly type: EventType;
  readonly words: LanguageWords;
  readonly appName: string;
  readonly codeInSubject: boolean;
  readonly variant: string;
  /** The values and links that are there; the recipient and the link to unsubscribe beside them. */
  readonly values: readonly string[];
  readonly links: readonly string[];
  readonly unsubscribable: boolean;
}

/** In this order the values of a mail are handed to its slots. */
export const recipientSlot = 0;
export const unsubscribeSlot = 1;
export const valuesSlot = 2;

export function prepareLetter(preparation: Preparation): PreparedLetter {
  const { type, words, appName, values, links } = preparation;
  const letter = mailTypes[type].letter({
    words: words.mails[type],
    appName,
    values: markers(values, valuesSlot),
    links: markers(links, valuesSlot + values.length),
    variant: preparation.variant,
    codeInSubject: preparation.codeInSubject,
  } as LetterParts<never>);
  const unsubscribe = { label: words.unsubscribe, href: markerOf(unsubscribeSlot) };
  const page = (
    <Frame
      appName={appName}
      language={words.locale}
      direction={words.direction}
      title={letter.subject}
      preheader={letter.preheader}
      sentTo={words.sentTo(markerOf(recipientSlot), appName)}
      unsubscribe={preparation.unsubscribable ? unsubscribe : undefined}
    >
      {letter.body}
    </Frame>
  );
  return {
    subject: cutAtMarkers(letter.subject),
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
