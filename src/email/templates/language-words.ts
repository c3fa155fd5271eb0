import type { EventType, WordsOf } from "../mails/mail-types.ts";

/**
 * Every word of every mail in one language. A language is one file of this shape and one row in
 * `languages.ts`; a mail whose words are missing in one does not compile.
 */
export interface LanguageWords {
  /** BCP 47; also how `Intl` writes numbers and times. */
  readonly locale: string;
  readonly direction: "ltr" | "rtl";
  /** The language's own name, for the preview. */
  readonly name: string;
  /** When so little is left that a number would be wrong when it is read. */
  readonly moment: string;
  /** The small print: who this mail was sent to. */
  sentTo(recipient: string, appName: string): string;
  readonly unsubscribe: string;
  readonly mails: { readonly [T in EventType]: WordsOf<T> };
}
