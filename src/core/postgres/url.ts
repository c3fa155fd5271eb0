import type postgres from "postgres";

/** What a DATABASE_URL says. */
export interface PostgresUrl {
  readonly host: string;
  readonly port: number;
  /** Undefined: of the role's name. */
  readonly database: string | undefined;
  readonly username: string | undefined;
  readonly password: string | undefined;
  readonly ssl: postgres.Options<Record<string, never>>["ssl"];
  readonly sslnegotiation: "direct" | undefined;
  readonly schema: string | undefined;
  /** A pooler stands before it that may give each transaction another connection. */
  readonly pooled: boolean;
  readonly applicationName: string | undefined;
  /** For whoever routes by it, as "endpoint=…"; goes into the startup message. */
  readonly startupOptions: string | undefined;
  readonly connectionsMax: number | undefined;
  readonly connectTimeoutSeconds: number | undefined;
  /** It wants the login bound to the TLS connection, which this program cannot do. */
  readonly wantsChannelBinding: boolean;
}

type Changes = { -readonly [Key in keyof PostgresUrl]?: PostgresUrl[Key] };
/** What a parameter's value means; a text is what is wrong with it. */
type Reader = (value: string) => Changes | string;

const verifyFull = { ssl: "verify-full" } as const;
const encrypted = { ssl: "require" } as const;

const sslModes: Readonly<Record<string, Changes>> = {
  disable: { ssl: false },
  allow: { ssl: "prefer" },
  prefer: { ssl: "prefer" },
  require: encrypted,
  "no-verify": encrypted,
  // The authority is checked, the name is not.
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

/** `-c search_path=app` and `--search_path=app` are a schema; the rest is handed on. */
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
    : "must be read-write, primary or any: this program writes";

const inUrl = "belongs into the URL itself: postgres://user:password@host:5432/database";
const caFile = "is not read from a file here; give your authority by NODE_EXTRA_CA_CERTS=file";
const noClientCertificate = "asks for a client certificate, which this program does not have";

/**
 * Every parameter that providers and other programs write into such a URL, by what it means here.
 * One that means nothing to us, and whose lack changes no promise, is ignored by name.
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
  gssencmode: (value) =>
    value === "require" ? "cannot be require: GSSAPI is not spoken here" : {},
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
      ? { connectTimeoutSeconds: Number(value) || undefined }
      : "must be a whole number of seconds",
  user: refuse(inUrl),
  password: refuse(inUrl),
  dbname: refuse(inUrl),
  host: refuse(`${inUrl}; a Unix socket is not connected to`),
  hostaddr: refuse(inUrl),
  port: refuse(inUrl),
  service: refuse("names a file that is not read here; write the address into the URL"),
  passfile: refuse("is not read; DATABASE_URL_FILE takes the URL with its password from a file"),
};

/** Without a meaning for what we promise: pools and timeouts are our own, keep-alive is on. */
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

/** Everything that is wrong with it, as what follows "DATABASE_URL"; never with its password. */
export function readPostgresUrl(text: string): {
  readonly url: PostgresUrl;
  readonly problems: readonly string[];
} {
  const parsed = new URL(text);
  const problems: string[] = [];
  const part = (value: string, what: string): string | undefined => {
    try {
      return decodeURIComponent(value) || undefined;
    } catch {
      problems.push(`has a % in its ${what} that begins no escape; a % itself is written %25`);
      return undefined;
    }
  };
  const host = part(parsed.hostname, "host")?.replace(/^\[(.*)\]$/, "$1") ?? "";
  if (host === "")
    problems.push("names no host, as in postgres://user:password@host:5432/database");
  if (host.includes("/")) problems.push("names a Unix socket; give the TCP address of Postgres");
  if (host.includes(",")) {
    problems.push("names several hosts; give one, or a name that follows the primary");
  }
  const changes: Changes = {};
  for (const [name, value] of parsed.searchParams) {
    const reader = Object.hasOwn(parameters, name) ? parameters[name] : undefined;
    const isIgnored = ignored.has(name) || ignoredPattern.test(name);
    const read = (reader ?? (isIgnored ? ignore : unknownParameter))(value);
    if (typeof read === "string") problems.push(`has ${name}=…, which ${read}`);
    else Object.assign(changes, read);
  }
  const url: PostgresUrl = {
    host,
    port: Number(parsed.port || 5432),
    database: part(parsed.pathname.slice(1), "database"),
    username: part(parsed.username, "user"),
    password: part(parsed.password, "password"),
    ssl: false,
    sslnegotiation: undefined,
    schema: undefined,
    pooled: false,
    applicationName: undefined,
    startupOptions: undefined,
    connectionsMax: undefined,
    connectTimeoutSeconds: undefined,
    wantsChannelBinding: false,
    ...changes,
  };
  return { url, problems };
}

const unknownParameter = refuse(
  "is unknown here; leave it out (a setting of the server: ALTER ROLE … SET)",
);
