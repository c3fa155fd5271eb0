import postgres from "postgres";
import type { Explanation, FailureRow } from "../errors.ts";
import { coreErrors, errorMessage, explainFailure, failureLine, InstantError } from "../errors.ts";
import type { PostgresConnection } from "./url.ts";
import { addressOf } from "./url.ts";

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
