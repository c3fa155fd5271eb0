import { parseTimestamp } from "../mails/data-fields.ts";
import type { TimeFormat } from "../mails/mail-type.ts";
import type { EventType, MessagesOf } from "../mails/mail-types.tsx";

const units = [
  ["day", 86_400_000],
  ["hour", 3_600_000],
  ["minute", 60_000],
  ["second", 1000],
] as const;

/** A mail that goes out at once says "10 minutes", not "9 minutes" for the sake of a second. */
const deliveryMs = 5000;

const unitStyle = (unit: string) => ({ style: "unit", unit, unitDisplay: "long" }) as const;

/** How a language says durations and times, and what it calls a `moment`; made once, since making `Intl` formats is slow. */
export function createTimeFormat(locale: string, aMoment?: string): TimeFormat {
  const formats = units.map(([unit, unitMs]) => ({
    unitMs,
    format: new Intl.NumberFormat(locale, unitStyle(unit)),
  }));
  const seconds = new Intl.NumberFormat(locale, unitStyle("second"));
  const timeFormat = new Intl.DateTimeFormat(locale, {
    year: "numeric",
    month: "long",
    day: "numeric",
    hour: "2-digit",
    minute: "2-digit",
    timeZone: "UTC",
    timeZoneName: "short",
  });
  return {
    /**
     * What is left, rounded down in the largest unit of which two are left: at most 5 s more than
     * there is. "10 minutes", "90 minutes", "2 hours".
     */
    remaining: (expiresAt, now) => {
      const leftMs = Math.max(expiresAt - now + deliveryMs, 0);
      for (const { unitMs, format } of formats) {
        const count = Math.floor(leftMs / unitMs);
        if (count >= 2) return format.format(count);
      }
      return aMoment ?? seconds.format(Math.floor(leftMs / 1000));
    },
    time: (timestamp) => timeFormat.format(parseTimestamp(timestamp) ?? 0),
  };
}

/**
 * Text with gaps. A letter is written with markers in place of its values; the text is then cut at
 * the markers once, and each mail only puts its values between the cuts. A value is never looked
 * through for markers, so it cannot be taken for one.
 */
export interface Slotted {
  /** One more than there are slots. */
  readonly pieces: readonly string[];
  /** For each gap the number of its value. */
  readonly slots: readonly number[];
}

/** Noncharacters of Unicode: no text that means something has them. */
const marker = /\uFDD0(\d+)\uFDD1/;

export function markerOf(slot: number): string {
  return `\uFDD0${slot}\uFDD1`;
}

/** For text that is no value, such as the name of the application. */
export function withoutMarkers(text: string): string {
  return text.replace(/[\uFDD0\uFDD1]/g, "");
}

export function cutAtMarkers(text: string): Slotted {
  const parts = text.split(marker);
  return {
    pieces: parts.filter((_part, index) => index % 2 === 0),
    slots: parts.filter((_part, index) => index % 2 === 1).map(Number),
  };
}

export function fillSlots({ pieces, slots }: Slotted, values: readonly string[]): string {
  let text = pieces[0] ?? "";
  for (let at = 0; at < slots.length; at += 1) {
    text += (values[slots[at] ?? 0] ?? "") + (pieces[at + 1] ?? "");
  }
  return text;
}

/** What nobody types on purpose: it turns the direction of what follows, or breaks a line. */
const disorder = /[\u2028\u2029\u202A-\u202E\u2066-\u2069\uFDD0\uFDD1]/g;
const rightToLeft =
  /[\p{Script=Hebrew}\p{Script=Arabic}\p{Script=Syriac}\p{Script=Thaana}\p{Script=Nko}\p{Script=Adlam}]/u;
const ascii = /^[\x20-\x7e]*$/;

/**
 * A text from outside as it may stand among ours. One that runs from right to left is isolated by
 * U+2068 and U+2069 (UAX 9), so that it cannot reorder the words around it, in HTML as in text.
 */
export function safeText(text: string): string {
  if (ascii.test(text)) return text;
  const orderly = text.toWellFormed().replace(disorder, "");
  return rightToLeft.test(orderly) ? `\u2068${orderly}\u2069` : orderly;
}

/**
 * Every word of every mail in one language. A language is one file of this shape and one row in
 * `languages.ts`; a mail whose words are missing in one does not compile.
 */
export interface LanguageMessages {
  /** BCP 47; also how `Intl` writes numbers and times. */
  readonly locale: string;
  readonly direction: "ltr" | "rtl";
  /** The language's own name, for the preview. */
  readonly name: string;
  /** When so little is left that a number would be wrong when it is read. */
  readonly aMoment: string;
  /** The small print: who this mail was sent to. */
  sentTo(recipient: string, appName: string): string;
  readonly unsubscribe: string;
  readonly mails: { readonly [T in EventType]: MessagesOf<T> };
}
