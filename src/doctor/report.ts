import type { Finding } from "../core/diagnosis.ts";
import type { Group } from "./run-checks.ts";

export interface Report {
  readonly groups: readonly Group[];
  readonly durationMs: number;
}

export interface ReportStyle {
  readonly colour: boolean;
  /** Lines are folded to so many characters. */
  readonly columns: number;
}

const marks = { ok: "✓", warning: "!", fault: "✗" } as const;
/** Terminal colours: green, yellow, red. */
const colours = { ok: "32", warning: "33", fault: "31" } as const;
const bold = "1";
const dim = "2";

export function countFindings({ groups }: Report): Readonly<Record<Finding["level"], number>> {
  const counts = { ok: 0, warning: 0, fault: 0 };
  for (const { findings } of groups) for (const { level } of findings) counts[level] += 1;
  return counts;
}

/** For people: a heading per group, a line per finding, its mend below it, the counts at the end. */
export function renderReport(report: Report, style: ReportStyle): string {
  const paint = (code: string, text: string) =>
    style.colour ? `\u001b[${code}m${text}\u001b[0m` : text;
  const lines: string[] = [];
  for (const { name, about, findings } of report.groups) {
    if (findings.length === 0) continue;
    const where = about === undefined ? "" : `  ${paint(dim, about)}`;
    lines.push(`${paint(bold, name)}${where}`);
    for (const { level, text, mend } of findings) {
      const [first = "", ...rest] = fold(text, style.columns - 4);
      lines.push(`  ${paint(colours[level], marks[level])} ${first}`);
      lines.push(...rest.map((line) => `    ${line}`));
      if (mend !== undefined) lines.push(...renderMend(mend, style.columns));
    }
    lines.push("");
  }
  const { ok, warning, fault } = countFindings(report);
  const seconds = (report.durationMs / 1000).toFixed(1);
  const sum = [
    paint(fault > 0 ? colours.fault : dim, `${marks.fault} ${fault}`),
    paint(warning > 0 ? colours.warning : dim, `${marks.warning} ${warning}`),
    paint(ok > 0 ? colours.ok : dim, `${marks.ok} ${ok}`),
  ];
  lines.push(`${sum.join("   ")}   in ${seconds} s`);
  return `${lines.join("\n")}\n`;
}

function renderMend(mend: string, columns: number): string[] {
  const [first = "", ...rest] = fold(mend, columns - 6);
  return [`    → ${first}`, ...rest.map((line) => `      ${line}`)];
}

/** One object for machines; `ok` is false when there is a fault. */
export function renderJson(report: Report): string {
  const counts = countFindings(report);
  const { groups, durationMs } = report;
  return `${JSON.stringify({
    ok: counts.fault === 0,
    counts: { ok: counts.ok, warning: counts.warning, fault: counts.fault },
    duration_ms: Math.round(durationMs),
    groups,
  })}\n`;
}

/** Breaks between words only: a path or an address stays whole, to be copied. */
function fold(text: string, charsMax: number): string[] {
  const lines: string[] = [];
  let line = "";
  for (const word of text.split(/\s+/)) {
    if (line !== "" && line.length + 1 + word.length > charsMax) {
      lines.push(line);
      line = word;
    } else {
      line = line === "" ? word : `${line} ${word}`;
    }
  }
  return [...lines, line];
}
