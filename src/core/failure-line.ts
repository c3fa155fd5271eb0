/** What is wrong and the mend in one line: "nothing listens on localhost:6379: start Redis there". */
export function failureLine(failure: { readonly text: string; readonly mend: string }): string {
  return `${lowerFirst(failure.text)}: ${lowerFirst(failure.mend)}`;
}

/** A sentence as the part of another. */
export function lowerFirst(sentence: string): string {
  return sentence.charAt(0).toLowerCase() + sentence.slice(1);
}
