import postgres from "postgres";
import { backoffMs } from "../backoff.ts";
import type { PostgresConnection } from "./url.ts";

export type Sql = postgres.Sql;
export type SqlTransaction = postgres.TransactionSql;
/** See `schemaFragment`. */
export type SchemaName = postgres.Fragment;

const reconnectBackoff = { delayMsMin: 50, delayMsMax: 1000 };
const idleInTransactionMs = 10_000;

/**
 * How the settings of statements are applied.
 * - `connection`: once, in the startup message; statements are prepared and kept.
 * - `transaction`: in each transaction, where a pooler cannot mix them up with another client's;
 *   nothing is prepared. For poolers, which refuse or ignore settings in the startup message.
 */
type SettingScope = "connection" | "transaction";

/**
 * Properties that hold for every call. Statements name the schema of their tables and do not rely
 * on the search path: a pooler may drop ours, or hand out a connection with another client's.
 */
export interface Session {
  readonly scope: SettingScope;
  /** Undefined: neither the settings nor the role's search path name an existing schema. */
  readonly schema: string | undefined;
}

interface PoolLimits {
  readonly statementTimeoutMs: number;
  readonly scope: SettingScope;
  /** That of the connection when left out. */
  readonly connectionsMax?: number;
}

/** A pool of postgres.js with a bound on every wait; connects on first use. */
export function connect(connection: PostgresConnection, limits: PoolLimits): Sql {
  const { host, port, database, username, password, sslnegotiation, startupOptions } = connection;
  const { connectionsMax = connection.connectionsMax, scope, statementTimeoutMs } = limits;
  // postgres.js splits an IPv6 address at its colon unless it is in a list; its types allow neither
  // that nor undefined.
  const address = { host: [host], port: [port], database, username, password, sslnegotiation };
  return postgres({
    ...(address as unknown as { host: string; port: number; database: string; username: string }),
    ssl: connection.ssl ?? false,
    max: connectionsMax,
    prepare: scope === "connection",
    connect_timeout: connection.connectTimeoutSeconds,
    idle_timeout: 60,
    keep_alive: 15,
    fetch_types: false, // no arrays are read, and it costs a query per connection
    backoff: (retries: number) => backoffMs(retries + 1, reconnectBackoff) / 1000,
    onnotice: () => {}, // "already exists, skipping" would be printed to standard output
    connection: {
      application_name: connection.applicationName,
      ...(startupOptions === undefined ? {} : { options: startupOptions }),
      ...(scope === "connection" ? settings(statementTimeoutMs) : {}),
    },
  });
}

function settings(statementTimeoutMs: number) {
  return {
    statement_timeout: Math.round(statementTimeoutMs),
    idle_in_transaction_session_timeout: idleInTransactionMs,
  };
}

/** Runs `work` in one transaction, with the settings of the scope `transaction`. */
export async function runInTransaction<T>(
  sql: Sql,
  statementTimeoutMs: number,
  work: (sql: SqlTransaction) => Promise<T>,
): Promise<T> {
  const wanted = Object.entries(settings(statementTimeoutMs));
  const text = wanted.map(([name, value]) => `SET LOCAL ${name} = '${value}'`).join("; ");
  return (await sql.begin(async (transaction) => {
    // Not awaited: it is sent with the first statement, which fails when this does.
    const set = transaction.unsafe(text).execute();
    const [result] = await Promise.all([work(transaction), set]);
    return result;
  })) as T;
}

/** Queries the server once, on its own connection. */
export async function findSession(
  connection: PostgresConnection,
  statementTimeoutMs: number,
): Promise<Session> {
  const { schema, pooled } = connection;
  const inTransaction = () =>
    schema === undefined
      ? readSession(connection, statementTimeoutMs, "transaction")
      : { scope: "transaction" as const, schema };
  if (pooled) return inTransaction();
  try {
    return await readSession(connection, statementTimeoutMs, "connection");
  } catch (error) {
    if (isRefusedParameter(error)) return inTransaction();
    throw error;
  }
}

/** DEFAULT is the role's own path, whatever another client of the same pooler has set. */
async function readSession(
  connection: PostgresConnection,
  statementTimeoutMs: number,
  scope: SettingScope,
): Promise<Session> {
  const sql = connect(connection, { statementTimeoutMs, scope, connectionsMax: 1 });
  try {
    const [, [found]] = (await sql
      .unsafe(
        `SET LOCAL search_path TO DEFAULT;
        SELECT current_schema() AS schema,
          (SELECT setting FROM pg_catalog.pg_settings WHERE name = 'statement_timeout') AS timeout`,
      )
      .simple()) as unknown as [unknown, { schema: string | null; timeout: string }[]];
    const isSet = found?.timeout === String(Math.round(statementTimeoutMs));
    return {
      scope: isSet ? scope : "transaction",
      schema: connection.schema ?? found?.schema ?? undefined,
    };
  } finally {
    void sql.end({ timeout: 1 }).catch(() => {}); // its result does not matter
  }
}

/** A schema for a statement, before the dot: `${schema}.auth_users`. */
export function schemaFragment(sql: Pick<Sql, "unsafe">, schema: string): SchemaName {
  return sql.unsafe(quoteIdentifier(schema)); // sql(schema) would split it at a dot
}

export function quoteIdentifier(name: string): string {
  return `"${name.replaceAll('"', '""')}"`;
}

/** pgbouncer: "unsupported startup parameter: statement_timeout". */
function isRefusedParameter(error: unknown): boolean {
  return error instanceof postgres.PostgresError && /startup parameter/i.test(error.message);
}

/**
 * Whether a prepared statement could not run. `lost`: behind a pooler it was prepared on another
 * connection. `changed`: its table has other columns now, as when a newer release added one.
 */
export function findStalePrepared(error: unknown): "lost" | "changed" | undefined {
  if (!(error instanceof postgres.PostgresError)) return undefined;
  const { code, message } = error;
  if (code === "26000" || code === "42P05" || /prepared statement/.test(message)) return "lost";
  return /cached plan must not change/.test(message) ? "changed" : undefined;
}
