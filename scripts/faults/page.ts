const [from, to] = ["<!-- scripts/chaos writes from here -->", "<!-- to here -->"] as const;

/** The page with `text` between its two marks. Throws when it has not both of them, in order. */
export function replaceMeasured(page: string, text: string): string {
  const begin = page.indexOf(from);
  const end = page.indexOf(to);
  if (begin < 0 || end < begin) throw new Error(`the page needs the lines ${from} and ${to}`);
  return `${page.slice(0, begin)}${from}\n\n${text}\n\n${page.slice(end)}`;
}
