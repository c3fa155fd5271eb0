import type { Outcome } from "./suite.ts";

/** The table at the end; its last line is the one that machines read. */
export function formatReport(outcomes: readonly Outcome[]): string {
  const header = ["suite", "passed", "failed", "skipped", "seconds / budget"];
  const rows = outcomes.map((outcome) => [
    outcome.name,
    String(outcome.passed),
    String(outcome.failed),
    String(outcome.skipped),
    `${outcome.seconds.toFixed(1)} / ${outcome.budgetSeconds}`,
  ]);
  const widths = header.map((_, column) =>
    Math.max(...[header, ...rows].map((row) => row[column]?.length ?? 0)),
  );
  const lines = [header, ...rows].map((row) =>
    row
      .map((cell, column) =>
        column === 0 ? cell.padEnd(widths[0] ?? 0) : cell.padStart(widths[column] ?? 0),
      )
      .join("  "),
  );
  const notes = outcomes.flatMap(({ name, notes }) => notes.map((note) => `${name}: ${note}`));
  const count = (key: "passed" | "failed") =>
    outcomes.reduce((sum, outcome) => sum + outcome[key], 0);
  const last = `${count("passed")} passed, ${count("failed")} failed`;
  return ["", ...lines, "", ...notes, ...(notes.length > 0 ? [""] : []), last].join("\n");
}
