import postgres from "postgres";
import { coreErrors, errorMessage, failureLine, InstantError } from "../errors.ts";
import type { PostgresOptions } from "./pool.ts";
import { addressOf } from "./pool.ts";

interface PostgresFailure {
  readonly text: string;
  readonly fix: string;
}

/** By SQLSTATE, or by the code of postgres.js or the socket, in the order they are looked for. */
const failures: readonly (readonly [RegExp, string, string])[] = [
  [/^28P01$/, "It refused the password ({reason})", "Check {password}"],
  [
    /^28000$/,
    "It lets this role not in ({reason})",
    "Check {username}, and the server's pg_hba.conf",
  ],
  [/^3D000$/, "It has no such database ({reason})", "createdb {database}, or check {place}"],
  [/^42501$/, "This role may not do that ({reason})", "GRANT it what is denied"],
  [/^53300$/, "It has no connection left", "Raise max_connections, or run fewer processes"],
  [/^57P03$/, "It is starting or stopping ({reason})", "Wait a moment and ask again"],
  [
    /^ECONNREFUSED$/,
    "Nothing listens on {address}",
    "Start Postgres there (docker-compose up -d postgres), or check {place}",
  ],
  [/^(?:ENOTFOUND|EAI_)/, "The name of {address} cannot be resolved", "Check {place}, and the DNS"],
  [
    /^(?:CONNECT_TIMEOUT|ETIMEDOUT|deadline_exceeded)$/,
    "No answer from {address} in time",
    "Check {place} and the firewall",
  ],
  [/^CERT_HAS_EXPIRED$/, "Its certificate has expired", "Renew the server's certificate"],
  [
    /^(?:SELF_SIGNED|UNABLE_TO|ERR_TLS_CERT|DEPTH_ZERO)/,
    "Its certificate is not trusted ({reason})",
    "Give its authority by NODE_EXTRA_CA_CERTS=file, and use a name of the certificate",
  ],
  [
    /^(?:SASL|AUTH_TYPE|SASL_SIGNATURE)/,
    "The login failed ({reason})",
    "Check {password}: it may be missing",
  ],
  // pgbouncer says most of what it has to say with the same SQLSTATE.
  [
    /^08P01 .*(?:authentication|auth) failed/i,
    "It refused the password ({reason})",
    "Check {password}",
  ],
  [
    /^08P01 .*no such user/i,
    "It lets this role not in ({reason})",
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
    "The pooler does not reach Postgres ({reason})",
    "Start Postgres, or check the pooler's [databases]",
  ],
];

/** The server, or what stands before it, said something that has no row above. */
const serverRefused = ["", "It refuses ({reason})", "Check {place}, and the server's log"] as const;

const otherwise = [
  "",
  "What answers on {address} is not Postgres, or closes the connection ({reason})",
  "Check {place}: its port, and sslmode (a server may want TLS, or have none)",
] as const;

/** What is wrong and the mend, for any failure of postgres.js; shows no password. */
export function describePostgresFailure(error: unknown, options: PostgresOptions): PostgresFailure {
  const unknown = error instanceof postgres.PostgresError ? serverRefused : otherwise;
  return describe(findFailure(error) ?? unknown, error, options);
}

/** In one line, for a failure of a known kind: "nothing listens on …: start Postgres there, or …". */
function postgresFailureLine(error: unknown, options: PostgresOptions): string | undefined {
  const found = findFailure(error);
  return found && failureLine(describe(found, error, options));
}

type Failure = readonly [unknown, string, string];

function findFailure(error: unknown): Failure | undefined {
  const code = error instanceof Error && "code" in error ? String(error.code) : "";
  const text = code === "08P01" ? `${code} ${errorMessage(error)}` : code;
  return failures.find(([pattern]) => pattern.test(text));
}

function describe(
  [, text, fix]: Failure,
  error: unknown,
  options: PostgresOptions,
): PostgresFailure {
  const [place, database = ""] = addressOf(options).split("/");
  const url = "url" in options;
  const values: Readonly<Record<string, string>> = {
    address: place ?? "",
    database,
    reason: errorMessage(error),
    place: url ? "DATABASE_URL" : "DB_HOST, DB_PORT and DB_DATABASE",
    username: url ? "the role in DATABASE_URL" : "DB_USERNAME",
    password: url ? "the password in DATABASE_URL" : "DB_PASSWORD",
  };
  const fill = (sentence: string) =>
    sentence.replace(/\{(\w+)\}/g, (_, name: string) => values[name] ?? "");
  return { text: fill(text), fix: fill(fix) };
}

const uniqueViolationState = "23505";

/**
 * SQLSTATEs after which the same statement may succeed later with nothing changed by us: classes
 * 08 (connection), 53 (resources), 57 (shut down, starting, statement timeout), 58 (system), and
 * 25006 (a standby after a failover), 40001, 40P01, 55P03 (another transaction was in the way).
 */
const retryableState = /^(?:08|53|57|58)|^(?:25006|40001|40P01|55P03)$/;

/** Our error for any failure of a statement; a unique violation stays as it is (see below). */
export function classifyPostgresError(error: unknown, options: PostgresOptions): unknown {
  if (error instanceof InstantError || uniqueViolation(error) !== undefined) return error;
  const foreign = !(error instanceof postgres.PostgresError);
  if (foreign && !isConnectionError(error)) return error; // a fault of ours
  const row =
    foreign || retryableState.test(error.code)
      ? coreErrors.postgresUnavailable
      : coreErrors.postgresFailed;
  const reason = postgresFailureLine(error, options) ?? errorMessage(error);
  return new InstantError(row, { detail: `${addressOf(options)}: ${reason}`, cause: error });
}

/** A fail-over left this connection at the one that was the primary. */
export function isStandby(error: unknown): boolean {
  return error instanceof postgres.PostgresError && error.code === "25006";
}

/** The name of the violated unique constraint or index; undefined for any other error. */
export function uniqueViolation(error: unknown): string | undefined {
  if (!(error instanceof postgres.PostgresError) || error.code !== uniqueViolationState) {
    return undefined;
  }
  return error.constraint_name ?? "";
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
