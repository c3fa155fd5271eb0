/**
 * Replaces the text between `<!-- generated: name -->` and `<!-- end of name -->` in a hand-written
 * page. Throws when the marks are missing.
 */
export function replaceMarked(page: string, name: string, text: string): string {
  return replaceBetween(page, [`<!-- generated: ${name} -->`, `<!-- end of ${name} -->`], text);
}

/** The page with `text` between two marks, each a line. Throws unless both are there, in order. */
export function replaceBetween(
  page: string,
  [from, to]: readonly [from: string, to: string],
  text: string,
): string {
  const [begin, end] = [page.indexOf(from), page.indexOf(to)];
  if (begin < 0 || end < begin) throw new Error(`the page needs the lines ${from} and ${to}`);
  return `${page.slice(0, begin + from.length)}\n${text}\n${page.slice(end)}`;
}
