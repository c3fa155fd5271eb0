import type { Diagnosis } from "../diagnosis.ts";
import { withDeadline } from "../time.ts";
import type { PostgresConnection } from "./config.ts";
import type { SchemaModule } from "./database.ts";
import type { Session, SqlTransaction } from "./pool.ts";
import {
  connect,
  describePostgresFailure,
  findSession,
  runInTransaction,
  schemaFragment,
} from "./pool.ts";

/** What exists of the wanted schema; null where something is missing. */
interface Place {
  readonly schema: string | null;
  /** Quoted for a command. */
  readonly quoted: string | null;
  readonly may_use: boolean | null;
  readonly may_create_tables: boolean | null;
  readonly may_create_schemas: boolean;
  readonly versions_table: boolean;
  readonly may_read_versions: boolean | null;
  readonly owner: string | null;
}

/** Checks that each module's tables have a known version, or can be created at the start. */
async function diagnoseSchema(
  sql: SqlTransaction,
  modules: readonly SchemaModule[],
  schema: Session["schema"],
  diagnosis: Diagnosis,
): Promise<void> {
  const places = await sql<Place[]>`
    SELECT found.nspname AS schema,
      quote_ident(wanted.name) AS quoted,
      has_schema_privilege(found.oid, 'USAGE') AS may_use,
      has_schema_privilege(found.oid, 'CREATE') AS may_create_tables,
      has_database_privilege(current_database(), 'CREATE') AS may_create_schemas,
      versions.oid IS NOT NULL AS versions_table,
      has_table_privilege(versions.oid, 'SELECT') AS may_read_versions,
      versions.relowner::regrole::text AS owner
    FROM (SELECT ${schema ?? null}::text AS name) AS wanted
    LEFT JOIN pg_catalog.pg_namespace AS found ON found.nspname = wanted.name
    LEFT JOIN pg_catalog.pg_class AS versions
      ON versions.relnamespace = found.oid AND versions.relname = 'instant_schema_versions'`;
  const place = places[0];
  if (place === undefined) return;
  if (place.may_read_versions === false) {
    const text = `Its tables belong to ${place.owner}, and this role may not read them`;
    const fix = `Log in as ${place.owner}, or make this role a member: GRANT ${place.owner} TO <this role>`;
    diagnosis.fault("postgres.schema", text, fix);
    return;
  }
  if (place.may_use === false) {
    const fix = `As the schema's owner: GRANT USAGE, CREATE ON SCHEMA ${place.quoted} TO <this role>`;
    diagnosis.fault("postgres.schema", `This role may not use the schema ${place.schema}`, fix);
    return;
  }
  const versions = place.versions_table
    ? await sql<{ module: string; version: number }[]>`
        SELECT coalesce(to_jsonb(v) ->> 'module', to_jsonb(v) ->> 'room') AS module, version
        FROM ${schemaFragment(sql, place.schema ?? "")}.instant_schema_versions v`
    : [];
  const versionOf = new Map(versions.map(({ module, version }) => [module, version]));
  const behind: string[] = [];
  for (const { module, steps } of modules) {
    const version = versionOf.get(module) ?? 0;
    if (version > steps.length) {
      const text = `Tables of ${module} are at version ${version}; this program knows ${steps.length}`;
      const fix =
        "A newer release created them: run that release, or restore a backup from before it";
      diagnosis.fault("postgres.schema", text, fix);
    } else if (version < steps.length) {
      behind.push(module);
    }
  }
  if (behind.length === 0) {
    diagnosis.ok("postgres.schema", "Its tables are up to date");
    return;
  }
  diagnoseMissing(place, behind.join(", "), schema, diagnosis);
}

function diagnoseMissing(
  place: Place,
  names: string,
  schema: Session["schema"],
  diagnosis: Diagnosis,
): void {
  const missing = `The tables of ${names} are missing or old`;
  if (schema === undefined) {
    const fix = "Set DB_SCHEMA, or the search_path of this role (ALTER ROLE … SET search_path)";
    const text = `${missing}, and the search_path of this role names no existing schema`;
    diagnosis.fault("postgres.schema", text, fix);
  } else if (place.schema === null && place.may_create_schemas) {
    diagnosis.ok("postgres.schema", `The first start creates the schema ${schema}`);
  } else if (place.may_create_tables === true) {
    diagnosis.ok("postgres.schema", `The next start creates or upgrades the tables of ${names}`);
  } else {
    const fix =
      place.schema === null
        ? `As the database's owner: CREATE SCHEMA ${place.quoted} AUTHORIZATION <this role>`
        : `As the schema's owner: GRANT CREATE ON SCHEMA ${place.quoted} TO <this role>`;
    diagnosis.fault("postgres.schema", `${missing}, and this role may not create any`, fix);
  }
}

const deadlineMs = 5000;
const endSeconds = 1;
/** The oldest supported version at the time of writing. */
const versionMin = 13;
/** Each process opens up to 10. */
const connectionsFreeMin = 20;

/** Logs in once and checks what the modules need. Changes nothing; ends within 7 s. */
export async function diagnosePostgres(
  connection: PostgresConnection,
  modules: readonly SchemaModule[],
  diagnosis: Diagnosis,
): Promise<void> {
  const sql = connect(connection, {
    statementTimeoutMs: deadlineMs,
    scope: "transaction",
    connectionsMax: 1,
  });
  try {
    // The session first: a pooler may have no second connection while the transaction has one.
    const inspection = findSession(connection, deadlineMs).then(({ scope, schema }) =>
      runInTransaction(sql, deadlineMs, async (transaction) => {
        await diagnoseServer(transaction, scope, diagnosis);
        if (connection.wantsChannelBinding) warnOfChannelBinding(diagnosis);
        await diagnoseSchema(transaction, modules, schema, diagnosis);
      }),
    );
    await withDeadline("Postgres", deadlineMs, inspection);
  } catch (error) {
    const { text, fix } = describePostgresFailure(error, connection);
    diagnosis.fault("postgres.reachable", text, fix);
  } finally {
    await withDeadline("closing", endSeconds * 2000, sql.end({ timeout: endSeconds })).catch(
      () => {}, // a connection that does not close ends with the process
    );
  }
}

interface ServerRow {
  readonly version: string;
  readonly version_number: number;
  readonly read_only: boolean;
  readonly connections: number;
  readonly connections_max: number;
}

async function diagnoseServer(
  sql: SqlTransaction,
  scope: Session["scope"],
  diagnosis: Diagnosis,
): Promise<void> {
  await sql`SELECT 1`; // connects and logs in, so that what is timed is the server's answer
  const startedAt = performance.now();
  const rows = await sql<ServerRow[]>`
    SELECT current_setting('server_version') AS version,
      current_setting('server_version_num')::integer / 10000 AS version_number,
      pg_is_in_recovery() OR current_setting('transaction_read_only') = 'on' AS read_only,
      (SELECT count(*)::integer FROM pg_catalog.pg_stat_activity) AS connections,
      current_setting('max_connections')::integer AS connections_max`;
  const server = rows[0];
  if (server === undefined) return;
  const tookMs = Math.round(performance.now() - startedAt);
  const version = server.version.split(" ")[0];
  diagnosis.ok("postgres.reachable", `Answers within ${tookMs} ms: PostgreSQL ${version}`);
  if (server.version_number < versionMin) {
    const text = `PostgreSQL ${version} no longer receives fixes`;
    diagnosis.warn("postgres.version", text, `Upgrade it to ${versionMin} or later`);
  }
  if (scope === "connection") diagnoseConnections(server, diagnosis);
  else {
    const text = "Behind a pooler: settings are made in each transaction, nothing is prepared";
    diagnosis.ok("postgres.pooler", text);
  }
  if (server.read_only) {
    const fix = "Point DATABASE_URL or DB_HOST to the primary";
    diagnosis.fault("postgres.role", "It is read-only: a standby, or configured as read-only", fix);
  }
}

/** The parameter is accepted, because providers put it into every URL, but has no effect. */
function warnOfChannelBinding(diagnosis: Diagnosis): void {
  diagnosis.warn(
    "postgres.channel_binding",
    "DATABASE_URL has channel_binding=require, but the login is not bound to the TLS connection: channel binding is not supported",
    "Set sslmode=verify-full in DATABASE_URL, so that the certificate proves the server's identity, and remove channel_binding=require",
  );
}

function diagnoseConnections(
  { connections, connections_max: max }: ServerRow,
  diagnosis: Diagnosis,
): void {
  const free = max - connections;
  if (free >= connectionsFreeMin) return;
  const text = `${free} of ${max} connections are free; each process opens up to 10`;
  diagnosis.warn(
    "postgres.connections",
    text,
    "Raise max_connections, or put a pooler in front of it",
  );
}
