/**
 * An operating failure: what can go wrong outside the program and is not a documented outcome. A
 * module declares its own rows; those of the core are `coreErrors` below. A foreign error is
 * classified once, by the adapter that meets it. A programmer error has no row: it is a plain Error
 * and ends the process.
 */
export interface ErrorRow {
  readonly code: string;
  /** One sentence for a person, without a full stop. */
  readonly meaning: string;
  /** Whether the same call may succeed later without a change on our side. */
  readonly retryable: boolean;
  /** The HTTP status of a request that fails with it. */
  readonly status: number;
}

interface ErrorContext {
  /** What exactly happened, for a person; never a secret, code or full address. */
  readonly detail?: string;
  readonly details?: Readonly<Record<string, unknown>>;
  readonly cause?: unknown;
}

export class InstantError extends Error {
  override readonly name = "InstantError";
  readonly row: ErrorRow;
  /** What exactly happened, without the row's meaning. */
  readonly detail: string | undefined;
  readonly details: Readonly<Record<string, unknown>>;

  constructor(row: ErrorRow, context: ErrorContext = {}) {
    const { detail } = context;
    const separator = detail?.startsWith("\n") ? ":" : ": ";
    const message = detail === undefined ? row.meaning : `${row.meaning}${separator}${detail}`;
    super(message, context.cause === undefined ? undefined : { cause: context.cause });
    this.row = row;
    this.detail = context.detail;
    this.details = context.details ?? {};
  }

  get code(): string {
    return this.row.code;
  }

  get retryable(): boolean {
    return this.row.retryable;
  }
}

export function isInstantError(error: unknown, row?: ErrorRow): error is InstantError {
  return error instanceof InstantError && (row === undefined || error.row === row);
}

/** The exit codes of a command that did not succeed. */
export const exitCodes = { failure: 1, usage: 2 } as const;

/** The message of any thrown value, for a log line or a report. */
export function errorMessage(error: unknown): string {
  return error instanceof Error ? error.message : String(error);
}

/** Ends an exhaustive switch: an unhandled kind fails to compile. */
export function unreachable(value: never): never {
  throw new Error(`unreachable: ${JSON.stringify(value)}`);
}

export const coreErrors = {
  configInvalid: {
    code: "config_invalid",
    meaning: "The configuration is not valid",
    retryable: false,
    status: 500,
  },
  usageInvalid: {
    code: "usage_invalid",
    meaning: "The command line is not valid",
    retryable: false,
    status: 500,
  },
  deadlineExceeded: {
    code: "deadline_exceeded",
    meaning: "The operation did not finish in time",
    retryable: true,
    status: 503,
  },
  sqliteBusy: {
    code: "sqlite_busy",
    meaning: "The SQLite file stayed locked by another process",
    retryable: true,
    status: 503,
  },
  sqliteFailed: {
    code: "sqlite_failed",
    meaning: "The SQLite file could not be used",
    retryable: false,
    status: 503,
  },
  redisUnavailable: {
    code: "redis_unavailable",
    meaning: "Redis did not answer",
    retryable: true,
    status: 503,
  },
  postgresUnavailable: {
    code: "postgres_unavailable",
    meaning: "Postgres did not answer",
    retryable: true,
    status: 503,
  },
  postgresFailed: {
    code: "postgres_failed",
    meaning: "Postgres rejected the statement",
    retryable: false,
    status: 503,
  },
} as const satisfies Record<string, ErrorRow>;

/** What is wrong and what to do about it, each a sentence without a full stop. */
export interface Explanation {
  readonly text: string;
  readonly fix: string;
}

/** A kind of failure: how it is recognized, then its text and fix with `{placeholders}`. */
export type FailureRow = readonly [pattern: RegExp, text: string, fix: string];

export function explainFailure(
  [, text, fix]: FailureRow,
  values: Readonly<Record<string, string>>,
): Explanation {
  const fill = (sentence: string) =>
    sentence.replace(/\{(\w+)\}/g, (_, name: string) => values[name] ?? "");
  return { text: fill(text), fix: fill(fix) };
}

/** A failure in one line: "nothing listens on localhost:6379: start Redis there". */
export function failureLine({ text, fix }: Explanation): string {
  return `${lowerFirst(text)}: ${lowerFirst(fix)}`;
}

/** For putting a sentence into another one. */
export function lowerFirst(sentence: string): string {
  return sentence.charAt(0).toLowerCase() + sentence.slice(1);
}
