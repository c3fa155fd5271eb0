import type { Tally } from "./tally.ts";

export interface Row {
  readonly name: string;
  readonly tally: Tally;
}

/** Whether a row keeps the promise; a row that does not is named by the exit code as well. */
export function isKept({ tally }: Row): boolean {
  return tally.lost === 0 && tally.unexplained.length === 0;
}

/** A Markdown table: what happened → what became of the mails. */
export function renderTable(title: string, rows: readonly Row[]): string {
  const head = `| ${title} | mails | lost | once | twice | parked |\n|---|---:|---:|---:|---:|---|`;
  const lines = rows.map((row) => {
    const { mails, lost, once, twice, parked } = row.tally;
    const classes = [...parked].map(([name, count]) => `${count} ${name}`).join(", ");
    const mark = isKept(row) ? "" : " ✗";
    return `| ${row.name}${mark} | ${mails} | ${lost} | ${once} | ${twice} | ${classes || "–"} |`;
  });
  return `${head}\n${lines.join("\n")}`;
}
