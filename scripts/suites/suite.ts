/** What a suite needs before it can run. */
export type Need = "servers" | "binary" | "chromium" | "nginx" | "compose" | "prometheus";

/** A folder of tests, run by one `bun test` within its own time. */
export interface Suite {
  readonly name: string;
  readonly folder: string;
  /** How many files run in parallel, each in a process; for tests that mostly wait. */
  readonly processes?: number;
  readonly budgetSeconds: number;
  readonly needs: readonly Need[];
}

/** The steps before the suites; each has a budget too. */
export const stepBudgetSeconds = { check: 20, build: 20, engines: 100 } as const;

/** The quickest to fail first. All budgets together: at most 25 minutes on two cores. */
export const suites: readonly Suite[] = [
  { name: "unit", folder: "tests/unit", budgetSeconds: 50, needs: [] },
  { name: "adapters", folder: "tests/adapters", budgetSeconds: 230, needs: ["servers"] },
  {
    name: "flows",
    folder: "tests/flows",
    processes: 2,
    budgetSeconds: 515,
    needs: ["servers", "binary", "nginx"],
  },
  {
    name: "binary",
    folder: "tests/binary",
    budgetSeconds: 45,
    needs: ["servers", "binary", "compose", "prometheus"],
  },
  {
    name: "chaos",
    folder: "tests/chaos",
    budgetSeconds: 225,
    needs: ["servers", "binary"],
  },
  {
    name: "browser",
    folder: "tests/browser",
    budgetSeconds: 240,
    needs: ["binary", "chromium", "nginx"],
  },
  { name: "bench", folder: "tests/bench", budgetSeconds: 50, needs: ["servers", "binary"] },
];

/** The result of a suite, or of a step before it. */
export interface Outcome {
  readonly name: string;
  readonly passed: number;
  readonly failed: number;
  readonly skipped: number;
  readonly seconds: number;
  readonly budgetSeconds: number;
  /** A line for each failed test, and for each failure of the suite itself. */
  readonly notes: readonly string[];
}

/** The table at the end; its last line is for machines. */
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
