import type { Stage } from "./stage.ts";

export type Scale = "full" | "quick";

/** One row: a job of instant, measured against a yardstick in the same run. */
export interface Benchmark {
  /** kebab-case, for --only. */
  readonly name: string;
  /** Words of the table. */
  readonly job: string;
  readonly yardstick: string;
  /** "mails/s", "requests/s", "ms", "MB". */
  readonly unit: string;
  /** Of ours / yardstick. */
  readonly target: Target;
  /** A second target, of ours alone. */
  readonly oursAtMost?: number;
  /**
   * Measures ours and the yardstick by turns, and which goes first alternates too (see
   * `alternate`). With "quick" it takes at most 5 s. Throws when it cannot measure.
   */
  readonly measure: (stage: Stage, scale: Scale) => Promise<readonly Pair[]>;
  readonly inQuick: boolean;
}

export type Target = { readonly atLeast: number } | { readonly atMost: number };

export interface Pair {
  readonly ours: number;
  readonly yardstick: number;
  /** CPU time in µs for each mail or request, of the process alone: steadier than a rate. */
  readonly cpuMicros?: { readonly ours?: number; readonly yardstick?: number };
}
