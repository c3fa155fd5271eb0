import postgres from "postgres";
import type { PostgresUrl } from "./url.ts";
import { readPostgresUrl } from "./url.ts";

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
  /** Lower-case letters, digits, underscores. Undefined: the URL's, or the role's search path. */
  readonly schema: string | undefined;
  /** How long a call may take as the caller sees it; 2 s when left out. */
  readonly deadlineMs?: number;
};

export type Sql = postgres.Sql;
export type SqlTransaction = postgres.TransactionSql;

const connectTimeoutSecondsMax = 1.5; // below the callers' 2 s, so that they hear the real reason
const reconnectDelaySecondsMax = 1;
const connectionsMaxDefault = 10;
const idleInTransactionMs = 10_000;

/**
 * How what a statement runs under is set.
 * - `connection`: once, in the startup message; statements are prepared and kept.
 * - `transaction`: in each transaction, which a pooler in between cannot mix up with another
 *   client's; nothing is prepared. For poolers, which refuse or ignore the startup message's.
 */
export type SettingScope = "connection" | "transaction";

export interface PoolLimits {
  readonly statementTimeoutMs: number;
  readonly scope: SettingScope;
  /** 10, or what the URL says, when left out. */
  readonly connectionsMax?: number;
}

/** A pool of postgres.js whose waits all have an end; connects when it is first used. */
export function connect(options: PostgresOptions, limits: PoolLimits): Sql {
  const place = placeOf(options);
  const schema = schemaOf(options);
  const timeoutSeconds = place.connectTimeoutSeconds ?? connectTimeoutSecondsMax;
  return postgres({
    ...addressAsLists(place),
    ...(place.database === undefined ? {} : { database: place.database }),
    ...(place.username === undefined ? {} : { username: place.username }),
    ...(place.password === undefined ? {} : { password: place.password }),
    ssl: place.ssl ?? false,
    ...(place.sslnegotiation === undefined ? {} : { sslnegotiation: place.sslnegotiation }),
    max: limits.connectionsMax ?? place.connectionsMax ?? connectionsMaxDefault,
    prepare: limits.scope === "connection",
    connect_timeout: Math.min(timeoutSeconds, connectTimeoutSecondsMax),
    idle_timeout: 60,
    keep_alive: 15,
    fetch_types: false, // no arrays are read, and it costs a query per connection
    backoff: (retries: number) => Math.min(0.05 * 2 ** retries, reconnectDelaySecondsMax),
    onnotice: () => {}, // "already exists, skipping" would be printed to standard output
    connection: {
      application_name: place.applicationName ?? "instant",
      ...(place.startupOptions === undefined ? {} : { options: place.startupOptions }),
      ...(limits.scope === "connection" ? settings(schema, limits.statementTimeoutMs) : {}),
    },
  });
}

function settings(schema: string | undefined, statementTimeoutMs: number) {
  return {
    statement_timeout: Math.round(statementTimeoutMs),
    idle_in_transaction_session_timeout: idleInTransactionMs,
    ...(schema === undefined ? {} : { search_path: schema }),
  };
}

/** postgres.js cuts an IPv6 address at its colon unless it comes in a list; its types know none. */
function addressAsLists({ host, port }: Pick<PostgresUrl, "host" | "port">) {
  return { host: [host], port: [port] } as unknown as { host: string; port: number };
}

/** All of `work` in one transaction, under the settings of the scope `transaction`. */
export async function runInTransaction<T>(
  sql: Sql,
  options: PostgresOptions,
  statementTimeoutMs: number,
  work: (sql: SqlTransaction) => Promise<T>,
): Promise<T> {
  const wanted = Object.entries(settings(schemaOf(options), statementTimeoutMs));
  const text = wanted.map(([name, value]) => `SET LOCAL ${name} = '${value}'`).join("; ");
  return (await sql.begin(async (transaction) => {
    // Not awaited: it goes out with the first statement, which fails when this does.
    const set = transaction.unsafe(text).execute();
    const [result] = await Promise.all([work(transaction), set]);
    return result;
  })) as T;
}

/** Where the startup message's settings hold: looked at once, on a connection of its own. */
export async function findSettingScope(
  options: PostgresOptions,
  statementTimeoutMs: number,
): Promise<SettingScope> {
  if (placeOf(options).pooled) return "transaction";
  const sql = connect(options, { statementTimeoutMs, scope: "connection", connectionsMax: 1 });
  try {
    const [found] = await sql<{ path: string; timeout: string }[]>`
      SELECT current_setting('search_path') AS path,
        (SELECT setting FROM pg_settings WHERE name = 'statement_timeout') AS timeout`.simple();
    const schema = schemaOf(options);
    const isSet = found?.timeout === String(Math.round(statementTimeoutMs));
    const isPath = schema === undefined || found?.path === schema;
    return isSet && isPath ? "connection" : "transaction";
  } catch (error) {
    if (isRefusedParameter(error)) return "transaction";
    throw error;
  } finally {
    void sql.end({ timeout: 1 }).catch(() => {}); // nobody waits for it
  }
}

/** pgbouncer: "unsupported startup parameter: statement_timeout". */
function isRefusedParameter(error: unknown): boolean {
  return error instanceof postgres.PostgresError && /startup parameter/i.test(error.message);
}

/** The connection behind a pooler is another one by now: the statement did not run. */
export function isLostPreparedStatement(error: unknown): boolean {
  return (
    error instanceof postgres.PostgresError &&
    (error.code === "26000" || error.code === "42P05" || /prepared statement/.test(error.message))
  );
}

/** The schema that the tables are in; undefined: the first of the role's search path. */
export function schemaOf(options: PostgresOptions): string | undefined {
  return options.schema ?? placeOf(options).schema;
}

/** Without role and password, for logs and errors. */
export function addressOf(options: PostgresOptions): string {
  const { host, port, database = "" } = placeOf(options);
  return `${host.includes(":") ? `[${host}]` : host}:${port}/${database}`;
}

function placeOf(
  options: PostgresOptions,
): Pick<PostgresUrl, "host" | "port"> & Partial<PostgresUrl> {
  if ("url" in options) return readPostgresUrl(options.url).url;
  const { schema: _, ...place } = options;
  return place;
}
