// Where Postgres is: DATABASE_URL or DB_*, as one connection.
import type postgres from "postgres";
import type { ConfigProblem, ConfigValues } from "../config.ts";
import { namesSeveralHosts, setting } from "../config.ts";

/** The address of Postgres and the options of the connection. */
export interface PostgresConnection {
  readonly host: string;
  readonly port: number;
  /** Undefined: the database with the name of the role. */
  readonly database: string | undefined;
  readonly username: string | undefined;
  readonly password: string | undefined;
  readonly ssl: postgres.Options<Record<string, never>>["ssl"];
  readonly sslnegotiation: "direct" | undefined;
  /** Undefined: the first of the role's own search path. */
  readonly schema: string | undefined;
  /** Behind a pooler that may run each transaction on another connection. */
  readonly pooled: boolean;
  readonly applicationName: string;
  /** Sent in the startup message, where some providers route by it: "endpoint=…". */
  readonly startupOptions: string | undefined;
  readonly connectionsMax: number;
  readonly connectTimeoutSeconds: number;
  /** The URL requires channel binding, which postgres.js does not support. */
  readonly wantsChannelBinding: boolean;
  /** Whether this comes from DATABASE_URL, or from DB_HOST and its companions. */
  readonly fromUrl: boolean;
}

const connectTimeoutSecondsMax = 1.5; // below the callers' 2 s, so that they get the real reason

/** The defaults. */
const connectionDefaults = {
  database: undefined,
  username: undefined,
  password: undefined,
  ssl: false,
  sslnegotiation: undefined,
  schema: undefined,
  pooled: false,
  applicationName: "instant",
  startupOptions: undefined,
  connectionsMax: 10,
  connectTimeoutSeconds: connectTimeoutSecondsMax,
  wantsChannelBinding: false,
  fromUrl: false,
} as const satisfies Partial<PostgresConnection>;

/** Without role and password, for logs and errors: "localhost:5432/instant". */
export function addressOf({ host, port, database = "" }: PostgresConnection): string {
  return `${host.includes(":") ? `[${host}]` : host}:${port}/${database}`;
}

type Changes = Partial<PostgresConnection>;
/** The meaning of a parameter's value; a text is the problem with it. */
type Reader = (value: string) => Changes | string;

const verifyFull = { ssl: "verify-full" } as const;
const encrypted = { ssl: "require" } as const;

const sslModes: Readonly<Record<string, Changes>> = {
  disable: { ssl: false },
  allow: { ssl: "prefer" },
  prefer: { ssl: "prefer" },
  require: encrypted,
  "no-verify": encrypted,
  // Verifies the authority, but not the host name.
  "verify-ca": { ssl: { checkServerIdentity: () => undefined } },
  "verify-full": verifyFull,
};

const readSslMode: Reader = (value) =>
  sslModes[value] ?? `must be one of ${Object.keys(sslModes).join(", ")}`;
const ignore: Reader = () => ({});
const refuse =
  (instead: string): Reader =>
  () =>
    instead;
const pooledWhen =
  (...values: readonly string[]): Reader =>
  (value) =>
    values.includes(value) ? { pooled: true } : {};

const schemaPattern = /^[a-z_][a-z0-9_]{0,62}$/;

const readSchema: Reader = (value) => {
  const name = value.trim().replace(/^"([^"]*)"$/, "$1");
  if (schemaPattern.test(name)) return { schema: name };
  return "must be one schema of 1 to 63 lower-case letters, digits and underscores; or set DB_SCHEMA";
};

/** `-c search_path=app` and `--search_path=app` name a schema; the rest is passed on. */
const readOptions: Reader = (value) => {
  const pattern = /(?:^|\s)(?:-c\s*|--)search_path=(\S+)/;
  const path = pattern.exec(value)?.[1];
  const rest = value.replace(pattern, "").trim();
  const changes = path === undefined ? {} : readSchema(path);
  if (typeof changes === "string") return `sets search_path, which ${changes}`;
  return rest === "" ? changes : { ...changes, startupOptions: rest };
};

const readTarget: Reader = (value) =>
  ["any", "read-write", "primary"].includes(value)
    ? {}
    : "must be read-write, primary or any: this program needs a writable server";

const inUrl = "belongs in the URL itself: postgres://user:password@host:5432/database";
const caFile = "is not supported; name your authority's file in NODE_EXTRA_CA_CERTS";
const noClientCertificate = "asks for a client certificate, which is not supported";

/**
 * The parameters that providers and other programs put into such a URL, and their meaning here.
 * Those that can be ignored safely are listed below.
 */
const parameters: Readonly<Record<string, Reader>> = {
  sslmode: readSslMode,
  ssl: (value) =>
    ({ true: verifyFull, "1": verifyFull, false: { ssl: false }, "0": { ssl: false } })[value] ??
    readSslMode(value),
  sslaccept: (value) =>
    ({ strict: verifyFull, accept_invalid_certs: encrypted })[value] ??
    "must be strict or accept_invalid_certs",
  sslrootcert: (value) => (value === "system" ? verifyFull : caFile),
  sslnegotiation: (value) =>
    ({ postgres: {}, direct: { sslnegotiation: "direct" } as const })[value] ??
    "must be postgres or direct",
  sslcert: refuse(noClientCertificate),
  sslkey: refuse(noClientCertificate),
  sslidentity: refuse(noClientCertificate),
  sslpassword: refuse(noClientCertificate),
  channel_binding: (value) =>
    ({ require: { wantsChannelBinding: true }, prefer: {}, disable: {} })[value] ??
    "must be require, prefer or disable",
  gssencmode: (value) => (value === "require" ? "cannot be require: GSSAPI is not supported" : {}),
  schema: readSchema,
  currentSchema: readSchema,
  search_path: readSchema,
  options: readOptions,
  application_name: (value) => ({ applicationName: value.slice(0, 63) }),
  target_session_attrs: readTarget,
  targetServerType: (value) => readTarget(value === "master" ? "primary" : value),
  pgbouncer: pooledWhen("true", "1"),
  statement_cache_size: pooledWhen("0"),
  prepared_statement_cache_size: pooledWhen("0"),
  prepareThreshold: pooledWhen("0"),
  prepare: pooledWhen("false"),
  no_prepare: pooledWhen("true"),
  default_query_exec_mode: pooledWhen("simple_protocol", "exec", "describe_exec"),
  connection_limit: (value) =>
    /^[1-9]\d{0,2}$/.test(value) ? { connectionsMax: Number(value) } : "must be from 1 to 999",
  connect_timeout: (value) =>
    /^\d{1,9}$/.test(value)
      ? { connectTimeoutSeconds: Math.min(Number(value) || Infinity, connectTimeoutSecondsMax) }
      : "must be a whole number of seconds",
  user: refuse(inUrl),
  password: refuse(inUrl),
  dbname: refuse(inUrl),
  host: refuse(`${inUrl}; Unix sockets are not supported`),
  hostaddr: refuse(inUrl),
  port: refuse(inUrl),
  service: refuse("names a file, which is not supported; put the address into the URL"),
  passfile: refuse("is not supported; DATABASE_URL_FILE names a file with the whole URL instead"),
};

/** Pools and timeouts are our own, and keep-alive is on. */
const ignored = new Set([
  "allowPublicKeyRetrieval",
  "client_encoding",
  "connectTimeout",
  "fallback_application_name",
  "idle_timeout",
  "keepalives",
  "keepalives_count",
  "keepalives_idle",
  "keepalives_interval",
  "load_balance_hosts",
  "loginTimeout",
  "max_idle_connection_lifetime",
  "pool_timeout",
  "reWriteBatchedInserts",
  "socketTimeout",
  "socket_timeout",
  "statement_timeout",
  "supa",
  "tcpKeepAlive",
  "tcp_user_timeout",
  "uselibpqcompat",
  "workaround",
]);
const ignoredPattern = /^pool_/;

/**
 * Problems continue a sentence that begins with "DATABASE_URL"; they never contain its password.
 */
export function parsePostgresUrl(text: string, problems: string[]): PostgresConnection {
  const parsed = new URL(text);
  const part = (value: string, what: string): string | undefined => {
    try {
      return decodeURIComponent(value) || undefined;
    } catch {
      problems.push(`has a % in its ${what} that is no valid escape; write a literal % as %25`);
      return undefined;
    }
  };
  const host = part(parsed.hostname, "host")?.replace(/^\[(.*)\]$/, "$1") ?? "";
  if (host === "")
    problems.push("names no host, as in postgres://user:password@host:5432/database");
  if (host.includes("/")) problems.push("names a Unix socket; give the TCP address of Postgres");
  const changes = {};
  for (const [name, value] of parsed.searchParams) {
    const reader = Object.hasOwn(parameters, name) ? parameters[name] : undefined;
    const isIgnored = ignored.has(name) || ignoredPattern.test(name);
    const read = (reader ?? (isIgnored ? ignore : unknownParameter))(value);
    if (typeof read === "string") problems.push(`has ${name}=…, which ${read}`);
    else Object.assign(changes, read);
  }
  return {
    ...connectionDefaults,
    host,
    port: Number(parsed.port || 5432),
    database: part(parsed.pathname.slice(1), "database"),
    username: part(parsed.username, "user"),
    password: part(parsed.password, "password"),
    fromUrl: true,
    ...changes,
  };
}

const unknownParameter = refuse(
  "is unknown here; leave it out (if it sets something on the server: ALTER ROLE … SET)",
);

export const postgresFields = {
  url: setting.url({
    name: "DATABASE_URL",
    protocols: ["postgres:", "postgresql:"],
    explain: (text) =>
      namesSeveralHosts(text)
        ? "names several hosts; give one, or a name that follows the primary"
        : undefined,
    secret: true,
    example: "postgres://instant:password@localhost:5432/instant?sslmode=verify-full",
    doc: "URL of Postgres. Unset (and no DB_HOST): a SQLite file. TLS with sslmode=require (certificate not checked) or verify-full (private authorities: NODE_EXTRA_CA_CERTS=file).",
  }),
  host: setting.text({
    name: "DB_HOST",
    charsMax: 255,
    example: "localhost",
    doc: "Host of Postgres, instead of DATABASE_URL; needs DB_DATABASE and DB_USERNAME. Without TLS; use DATABASE_URL for TLS.",
  }),
  port: setting.port({ name: "DB_PORT", fallback: "5432", doc: "The port, with DB_HOST." }),
  database: setting.text({
    name: "DB_DATABASE",
    charsMax: 63,
    example: "instant",
    doc: "The database, with DB_HOST.",
  }),
  username: setting.text({
    name: "DB_USERNAME",
    charsMax: 63,
    example: "instant",
    doc: "The role to log in as, with DB_HOST.",
  }),
  password: setting.secret({
    name: "DB_PASSWORD",
    doc: "The password, with DB_HOST. Unset: no password.",
  }),
  schema: setting.pattern({
    name: "DB_SCHEMA",
    pattern: /^[a-z_][a-z0-9_]{0,62}$/,
    shape: "1 to 63 lower-case letters, digits and underscores, not beginning with a digit",
    example: "instant",
    doc: "The schema of the tables, with DATABASE_URL as well as with DB_HOST; created if missing. Unset: the role's search path (usually public).",
  }),
} as const;

/**
 * Where Postgres is; undefined when no address is set, which means the embedded engine. Settings
 * that do not fit together are pushed to `problems`.
 */
export function resolvePostgres(
  values: ConfigValues<typeof postgresFields>,
  problems: ConfigProblem[],
): PostgresConnection | undefined {
  const { url, host, port, database, username, password, schema } = values;
  const report = (name: string, problem: string) => problems.push({ name, problem });
  if (url !== undefined) {
    if (host !== undefined) report("DATABASE_URL", "and DB_HOST are both set; keep one of them");
    const found: string[] = [];
    const connection = parsePostgresUrl(url, found);
    for (const problem of found) report("DATABASE_URL", problem);
    const ofUrl = connection.schema;
    if (schema !== undefined && ofUrl !== undefined && schema !== ofUrl) {
      const problem = `names the schema ${ofUrl}, and DB_SCHEMA names ${schema}; keep one of them`;
      report("DATABASE_URL", problem);
    }
    return { ...connection, schema: schema ?? ofUrl };
  }
  if (host === undefined) {
    if (password !== undefined) {
      report("DB_PASSWORD", "is set, but neither DB_HOST nor DATABASE_URL is");
    }
    return undefined;
  }
  for (const [name, value] of Object.entries({ DB_DATABASE: database, DB_USERNAME: username })) {
    if (value === undefined) report(name, `is needed with DB_HOST; for example ${name}=instant`);
  }
  return { ...connectionDefaults, host, port, database, username, password, schema };
}
