/** The first thing a reader sees as one sign, such as an emoji of several code points. */
export function firstLetter(name: string): string {
  const [first] = new Intl.Segmenter("en").segment(name.trim());
  return first?.segment ?? "";
}
