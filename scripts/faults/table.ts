import type { Tally } from "./tally.ts";

export interface Row {
  readonly name: string;
  readonly tally: Tally;
  readonly note?: string | undefined;
}

/** Whether a row keeps the promise. */
export function isKept({ tally }: Row): boolean {
  return tally.lost === 0 && tally.breaches.length === 0;
}

/** A Markdown table: what happened → what became of the mails. */
export function renderTable(title: string, rows: readonly Row[]): string {
  const head = `| ${title} | mails | in the window | lost | once | twice | parked |
|---|---:|---:|---:|---:|---:|---|`;
  const lines = rows.map((row) => {
    const { mails, inWindow, lost, once, twice, parked } = row.tally;
    const classes = Object.entries(parked).map(([name, count]) => `${count} ${name}`);
    const counts = [mails, inWindow, lost, once, twice, classes.join(", ") || "–"];
    const what = row.note === undefined ? row.name : `${row.name}: ${row.note}`;
    return `| ${what}${isKept(row) ? "" : " ✗"} | ${counts.join(" | ")} |`;
  });
  return [head, ...lines].join("\n");
}
