// postgres.js with bounded waits, and the classification of its errors.
import postgres from "postgres";
import type { Explanation, FailureRow } from "../errors.ts";
import { coreErrors, errorMessage, explainFailure, failureLine, InstantError } from "../errors.ts";
import { backoffMs } from "../time.ts";
import type { PostgresConnection } from "./config.ts";
import { addressOf } from "./config.ts";

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

/** By SQLSTATE, or by the code of postgres.js or the socket; the first match counts. */
const failures: readonly FailureRow[] = [
  [/^28P01$/, "It refused the password ({reason})", "Check {password}"],
  [/^28000$/, "It rejects this role ({reason})", "Check {username}, and the server's pg_hba.conf"],
  [/^3D000$/, "It has no such database ({reason})", "createdb {database}, or check {place}"],
  [/^42501$/, "This role may not do that ({reason})", "GRANT it the missing right"],
  [/^53300$/, "It has no connection left", "Raise max_connections, or run fewer processes"],
  [/^57P03$/, "It is starting or stopping ({reason})", "Wait a moment and try again"],
  [
    /^ECONNREFUSED$/,
    "Nothing listens on {address}",
    "Start Postgres there (docker-compose up -d postgres), or check {place}",
  ],
  [/^(?:ENOTFOUND|EAI_)/, "The host of {address} cannot be resolved", "Check {place}, and the DNS"],
  [
    /^(?:CONNECT_TIMEOUT|ETIMEDOUT|deadline_exceeded)$/,
    "No answer from {address} in time",
    "Check {place} and the firewall",
  ],
  [/^CERT_HAS_EXPIRED$/, "Its certificate has expired", "Renew the server's certificate"],
  [
    /^(?:SELF_SIGNED|UNABLE_TO|ERR_TLS_CERT|DEPTH_ZERO)/,
    "Its certificate is not trusted ({reason})",
    "Name its authority's file in NODE_EXTRA_CA_CERTS, and use a host name of the certificate",
  ],
  [
    /^(?:SASL|AUTH_TYPE|SASL_SIGNATURE)/,
    "The login failed ({reason})",
    "Check {password}: it may be missing",
  ],
  // pgbouncer uses one SQLSTATE for most of its errors.
  [
    /^08P01 .*(?:authentication|auth) failed/i,
    "It refused the password ({reason})",
    "Check {password}",
  ],
  [
    /^08P01 .*no such user/i,
    "It rejects this role ({reason})",
    "Check {username}, and the pooler's auth_file or auth_query",
  ],
  [
    /^08P01 .*no such database/i,
    "It has no such database ({reason})",
    "Check {place}, and the pooler's [databases]",
  ],
  [
    /^08P01 .*(?:no more connections|too many)/i,
    "The pooler has no connection left ({reason})",
    "Raise max_client_conn there, or run fewer processes",
  ],
  [
    /^08P01 .*(?:query_wait_timeout|wait)/i,
    "The pooler had no connection in time ({reason})",
    "Raise default_pool_size there",
  ],
  [
    /^08P01 .*(?:cannot connect|server login|server conn)/i,
    "The pooler cannot reach Postgres ({reason})",
    "Start Postgres, or check the pooler's [databases]",
  ],
];

/** An error of the server, or of the pooler in front of it, without a row above. */
const serverRefused: FailureRow = [
  /^/,
  "It refuses ({reason})",
  "Check {place}, and the server's log",
];

const otherwise: FailureRow = [
  /^/,
  "Whatever answers on {address} is not Postgres, or closes the connection ({reason})",
  "Check the port in {place}, and sslmode (the server may require TLS, or have none)",
];

/** What is wrong and how to fix it, for any failure of postgres.js; shows no password. */
export function describePostgresFailure(
  error: unknown,
  connection: PostgresConnection,
): Explanation {
  const unknown = error instanceof postgres.PostgresError ? serverRefused : otherwise;
  return describe(findRow(error) ?? unknown, error, connection);
}

function findRow(error: unknown): FailureRow | undefined {
  const code = error instanceof Error && "code" in error ? String(error.code) : "";
  const text = code === "08P01" ? `${code} ${errorMessage(error)}` : code;
  return failures.find(([pattern]) => pattern.test(text));
}

function describe(row: FailureRow, error: unknown, connection: PostgresConnection): Explanation {
  const [address = "", database = ""] = addressOf(connection).split("/");
  const { fromUrl } = connection;
  return explainFailure(row, {
    address,
    database,
    reason: errorMessage(error),
    place: fromUrl ? "DATABASE_URL" : "DB_HOST, DB_PORT and DB_DATABASE",
    username: fromUrl ? "the role in DATABASE_URL" : "DB_USERNAME",
    password: fromUrl ? "the password in DATABASE_URL" : "DB_PASSWORD",
  });
}

/**
 * SQLSTATEs after which the same statement may succeed later without a change on our side: classes
 * 08 (connection), 53 (resources), 57 (shutdown, startup, statement timeout) and 58 (system), and
 * 25006 (a standby after a fail-over), 40001, 40P01 and 55P03 (a conflict with another
 * transaction).
 */
const retryableState = /^(?:08|53|57|58)|^(?:25006|40001|40P01|55P03)$/;

/** Any failure of a statement → our error; a unique violation is returned unchanged (see below). */
export function classifyPostgresError(error: unknown, connection: PostgresConnection): unknown {
  if (error instanceof InstantError || uniqueViolation(error) !== undefined) return error;
  const foreign = !(error instanceof postgres.PostgresError);
  if (foreign && !isConnectionError(error)) return error; // a bug
  const row =
    foreign || retryableState.test(error.code)
      ? coreErrors.postgresUnavailable
      : coreErrors.postgresFailed;
  const known = findRow(error);
  const reason =
    known === undefined ? errorMessage(error) : failureLine(describe(known, error, connection));
  return new InstantError(row, { detail: `${addressOf(connection)}: ${reason}`, cause: error });
}

/** After a fail-over this connection still goes to the former primary. */
export function isStandby(error: unknown): boolean {
  return error instanceof postgres.PostgresError && error.code === "25006";
}

/** The name of the violated unique constraint or index; undefined for any other error. */
export function uniqueViolation(error: unknown): string | undefined {
  const isViolation = error instanceof postgres.PostgresError && error.code === "23505";
  return isViolation ? (error.constraint_name ?? "") : undefined;
}

/** postgres.js: CONNECTION_CLOSED, CONNECT_TIMEOUT, …; sockets: ECONNREFUSED, ENOTFOUND, …. */
function isConnectionError(error: unknown): boolean {
  if (!(error instanceof Error) || !("code" in error) || typeof error.code !== "string") {
    return false;
  }
  return /^(?:CONNECT|E[A-Z]|ERR_(?:TLS|SSL|SOCKET)|CERT|DEPTH|SELF_SIGNED|UNABLE|SASL|AUTH_TYPE)/.test(
    error.code,
  );
}
