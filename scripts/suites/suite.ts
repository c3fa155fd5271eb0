/** What a suite needs before it can run. */
export type Need = "servers" | "binary" | "chromium" | "compose" | "prometheus";

/** A folder of tests, run by one `bun test` within its own time. */
export interface Suite {
  readonly name: string;
  readonly folder: string;
  /** How many files run beside each other, each in a process; for tests that mostly wait. */
  readonly processes?: number;
  readonly budgetSeconds: number;
  readonly needs: readonly Need[];
}

/** What comes before the suites; each has a time of its own too. */
export const stepBudgetSeconds = { check: 20, build: 20, engines: 100 } as const;

/** From the quickest answer to the slowest. All budgets together: under 25 minutes on two cores. */
export const suites: readonly Suite[] = [
  { name: "unit", folder: "tests/unit", budgetSeconds: 30, needs: [] },
  { name: "adapters", folder: "tests/adapters", budgetSeconds: 300, needs: ["servers"] },
  {
    name: "flows",
    folder: "tests/flows",
    processes: 2,
    budgetSeconds: 420,
    needs: ["servers", "binary"],
  },
  {
    name: "binary",
    folder: "tests/binary",
    budgetSeconds: 50,
    needs: ["servers", "binary", "compose", "prometheus"],
  },
  {
    name: "chaos",
    folder: "tests/chaos",
    budgetSeconds: 300,
    needs: ["servers", "binary"],
  },
  { name: "browser", folder: "tests/browser", budgetSeconds: 150, needs: ["binary", "chromium"] },
  { name: "bench", folder: "tests/bench", budgetSeconds: 60, needs: ["servers", "binary"] },
];

/** How a suite, or a step before it, went. */
export interface Outcome {
  readonly name: string;
  readonly passed: number;
  readonly failed: number;
  readonly skipped: number;
  readonly seconds: number;
  readonly budgetSeconds: number;
  /** The tests that failed, and what went wrong with the suite itself: a line each. */
  readonly notes: readonly string[];
}
