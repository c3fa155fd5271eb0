/**
 * Replaces what stands between `<!-- generated: name -->` and `<!-- end of name -->` in a page that
 * people write. Throws when the marks are not there.
 */
export function replaceMarked(page: string, name: string, text: string): string {
  const [begin, end] = [`<!-- generated: ${name} -->`, `<!-- end of ${name} -->`];
  const [from, to] = [page.indexOf(begin), page.indexOf(end)];
  if (from < 0 || to < from) throw new Error(`the page has no marks for ${name}`);
  return `${page.slice(0, from + begin.length)}\n${text}\n${page.slice(to)}`;
}
