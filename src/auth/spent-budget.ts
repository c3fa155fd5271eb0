/** A budget that is used up, as the person who met it is told. */
export interface SpentBudget {
  /** What was counted, in kebab-case: "tries-per-email". */
  readonly scope: string;
  readonly quota: number;
  readonly windowMs: number;
  readonly retryAfterMs: number;
}
