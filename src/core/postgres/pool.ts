import postgres from "postgres";

export type PostgresOptions = (
  | { readonly url: string }
  | {
      readonly host: string;
      readonly port: number;
      readonly database: string;
      readonly username: string;
      readonly password: string | undefined;
    }
) & {
  /** Lower-case letters, digits, underscores: it is the search path of every connection. */
  readonly schema: string | undefined;
  /** How long a call may take as the caller sees it; 2 s when left out. */
  readonly deadlineMs?: number;
};

export type Sql = postgres.Sql;
export type SqlTransaction = postgres.TransactionSql;

const connectTimeoutSeconds = 1.5; // below the callers' 2 s, so that they hear the real reason
const reconnectDelaySecondsMax = 1;

export interface PoolLimits {
  readonly statementTimeoutMs: number;
  readonly connectionsMax: number;
}

/** A pool of postgres.js whose waits all have an end; connects when it is first used. */
export function connect(options: PostgresOptions, limits: PoolLimits): Sql {
  const settings: postgres.Options<Record<string, never>> = {
    max: limits.connectionsMax,
    connect_timeout: connectTimeoutSeconds,
    idle_timeout: 60,
    keep_alive: 15,
    fetch_types: false, // no arrays are read, and it costs a query per connection
    backoff: (retries: number) => Math.min(0.05 * 2 ** retries, reconnectDelaySecondsMax),
    onnotice: () => {}, // "already exists, skipping" would be printed to standard output
    connection: {
      application_name: "instant",
      statement_timeout: Math.round(limits.statementTimeoutMs),
      idle_in_transaction_session_timeout: 10_000,
      ...(options.schema === undefined ? {} : { search_path: options.schema }),
    },
  };
  if ("url" in options) return postgres(options.url, settings);
  const { host, port, database, username, password } = options;
  return postgres({
    ...settings,
    host,
    port,
    database,
    username,
    ...(password === undefined ? {} : { password }),
  });
}

/** Without role and password, for logs and errors. */
export function addressOf(options: PostgresOptions): string {
  if (!("url" in options)) return `${options.host}:${options.port}/${options.database}`;
  const { hostname, port, pathname } = new URL(options.url);
  return `${hostname}:${port || "5432"}${pathname}`;
}
