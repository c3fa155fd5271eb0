import { replaceBetween } from "../documents/marked.ts";

const marks = ["<!-- scripts/chaos writes from here -->", "<!-- to here -->"] as const;

/** The page with the measured `text` between its two marks. Throws when it has not both of them. */
export function replaceMeasured(page: string, text: string): string {
  return replaceBetween(page, marks, `\n${text}\n`);
}
