import postgres from "postgres";
import { backoffMs } from "../backoff.ts";
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
  /** Undefined: the URL's, or else the first of the role's own search path. */
  readonly schema: string | undefined;
  /** How long a call may take as the caller sees it; 2 s when left out. */
  readonly deadlineMs?: number;
};

export type Sql = postgres.Sql;
export type SqlTransaction = postgres.TransactionSql;
/** See `schemaFragment`. */
export type SchemaName = postgres.Fragment;

const connectTimeoutSecondsMax = 1.5; // below the callers' 2 s, so that they hear the real reason
const reconnectBackoff = { delayMsMin: 50, delayMsMax: 1000 };
const connectionsMaxDefault = 10;
const idleInTransactionMs = 10_000;

/**
 * How what a statement runs under is set.
 * - `connection`: once, in the startup message; statements are prepared and kept.
 * - `transaction`: in each transaction, which a pooler in between cannot mix up with another
 *   client's; nothing is prepared. For poolers, which refuse or ignore the startup message's.
 */
type SettingScope = "connection" | "transaction";

/**
 * What holds for every call. Statements name the schema of their tables, so that no search path
 * matters: a pooler may drop ours, or hand over a connection with that of another client.
 */
export interface Session {
  readonly scope: SettingScope;
  /** Undefined: the settings name none, and the role's search path leads to none. */
  readonly schema: string | undefined;
}

interface PoolLimits {
  readonly statementTimeoutMs: number;
  readonly scope: SettingScope;
  /** 10, or what the URL says, when left out. */
  readonly connectionsMax?: number;
}

/** A pool of postgres.js whose waits all have an end; connects when it is first used. */
export function connect(options: PostgresOptions, limits: PoolLimits): Sql {
  const place = placeOf(options);
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
    backoff: (retries: number) => backoffMs(retries + 1, reconnectBackoff) / 1000,
    onnotice: () => {}, // "already exists, skipping" would be printed to standard output
    connection: {
      application_name: place.applicationName ?? "instant",
      ...(place.startupOptions === undefined ? {} : { options: place.startupOptions }),
      ...(limits.scope === "connection" ? settings(limits.statementTimeoutMs) : {}),
    },
  });
}

function settings(statementTimeoutMs: number) {
  return {
    statement_timeout: Math.round(statementTimeoutMs),
    idle_in_transaction_session_timeout: idleInTransactionMs,
  };
}

/** postgres.js cuts an IPv6 address at its colon unless it comes in a list; its types know none. */
function addressAsLists({ host, port }: Pick<PostgresUrl, "host" | "port">) {
  return { host: [host], port: [port] } as unknown as { host: string; port: number };
}

/** All of `work` in one transaction, under the settings of the scope `transaction`. */
export async function runInTransaction<T>(
  sql: Sql,
  statementTimeoutMs: number,
  work: (sql: SqlTransaction) => Promise<T>,
): Promise<T> {
  const wanted = Object.entries(settings(statementTimeoutMs));
  const text = wanted.map(([name, value]) => `SET LOCAL ${name} = '${value}'`).join("; ");
  return (await sql.begin(async (transaction) => {
    // Not awaited: it goes out with the first statement, which fails when this does.
    const set = transaction.unsafe(text).execute();
    const [result] = await Promise.all([work(transaction), set]);
    return result;
  })) as T;
}

/** Looked at once, on a connection of its own. */
export async function findSession(
  options: PostgresOptions,
  statementTimeoutMs: number,
): Promise<Session> {
  const schema = schemaOf(options);
  const inTransaction = () =>
    schema === undefined
      ? readSession(options, statementTimeoutMs, "transaction")
      : { scope: "transaction" as const, schema };
  if (placeOf(options).pooled) return inTransaction();
  try {
    return await readSession(options, statementTimeoutMs, "connection");
  } catch (error) {
    if (isRefusedParameter(error)) return inTransaction();
    throw error;
  }
}

/** DEFAULT is the role's own path, whatever another client of the same pooler has set. */
async function readSession(
  options: PostgresOptions,
  statementTimeoutMs: number,
  scope: SettingScope,
): Promise<Session> {
  const sql = connect(options, { statementTimeoutMs, scope, connectionsMax: 1 });
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
      schema: schemaOf(options) ?? found?.schema ?? undefined,
    };
  } finally {
    void sql.end({ timeout: 1 }).catch(() => {}); // nobody waits for it
  }
}

/** A schema as it stands in a statement, before the dot: `${schema}.auth_users`. */
export function schemaFragment(sql: Pick<Sql, "unsafe">, schema: string): SchemaName {
  return sql.unsafe(quoteIdentifier(schema)); // sql(schema) would take a dot in it for two names
}

export function quoteIdentifier(name: string): string {
  return `"${name.replaceAll('"', '""')}"`;
}

/** pgbouncer: "unsupported startup parameter: statement_timeout". */
function isRefusedParameter(error: unknown): boolean {
  return error instanceof postgres.PostgresError && /startup parameter/i.test(error.message);
}

/**
 * The statement did not run as it was prepared. `lost`: the connection behind a pooler is another one
 * by now. `changed`: what its table looks like, as when a newer release added a column.
 */
export function findStalePrepared(error: unknown): "lost" | "changed" | undefined {
  if (!(error instanceof postgres.PostgresError)) return undefined;
  const { code, message } = error;
  if (code === "26000" || code === "42P05" || /prepared statement/.test(message)) return "lost";
  return /cached plan must not change/.test(message) ? "changed" : undefined;
}

/** The schema that the settings name; undefined: the role's own, see `findSession`. */
export function schemaOf(options: PostgresOptions): string | undefined {
  return options.schema ?? placeOf(options).schema;
}

/** Its URL asks for what this program cannot do. */
export function wantsChannelBinding(options: PostgresOptions): boolean {
  return placeOf(options).wantsChannelBinding ?? false;
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
