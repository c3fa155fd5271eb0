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
