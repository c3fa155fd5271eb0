import { withDeadline } from "../deadline.ts";
import type { Diagnosis } from "../diagnosis.ts";
import { describePostgresFailure } from "./connect-failure.ts";
import type { SchemaRoom } from "./migrate.ts";
import type { PostgresOptions, Session, SqlTransaction } from "./pool.ts";
import { connect, findSession, runInTransaction, wantsChannelBinding } from "./pool.ts";
import { diagnoseSchema } from "./schema-state.ts";

const deadlineMs = 5000;
const endSeconds = 1;
/** The oldest one whose makers still mend it at the time of writing. */
const versionMin = 13;
/** Each process opens up to 10. */
const connectionsFreeMin = 20;

/** Logs in once and reads what the rooms need of this database. Changes nothing; ends within 7 s. */
export async function diagnosePostgres(
  options: PostgresOptions,
  rooms: readonly SchemaRoom[],
  diagnosis: Diagnosis,
): Promise<void> {
  const sql = connect(options, {
    statementTimeoutMs: deadlineMs,
    scope: "transaction",
    connectionsMax: 1,
  });
  try {
    // The session first: a pooler may have no second connection while the transaction has one.
    const asked = findSession(options, deadlineMs).then((session) =>
      runInTransaction(sql, deadlineMs, (transaction) =>
        look(transaction, { options, rooms, session }, diagnosis),
      ),
    );
    await withDeadline("Postgres", deadlineMs, asked);
  } catch (error) {
    const { text, mend } = describePostgresFailure(error, options);
    diagnosis.fault("postgres.reachable", text, mend);
  } finally {
    await withDeadline("closing", endSeconds * 2000, sql.end({ timeout: endSeconds })).catch(
      () => {}, // what does not close ends with the process
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

async function look(
  sql: SqlTransaction,
  wanted: {
    readonly options: PostgresOptions;
    readonly rooms: readonly SchemaRoom[];
    readonly session: Session;
  },
  diagnosis: Diagnosis,
): Promise<void> {
  await sql`SELECT 1`; // connects and logs in, so that the next one's time is the server's
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
    const text = `PostgreSQL ${version} gets no more mends from its makers`;
    diagnosis.warn("postgres.version", text, `Upgrade it to ${versionMin} or later`);
  }
  const { scope, schema } = wanted.session;
  if (scope === "connection") diagnoseConnections(server, diagnosis);
  else {
    const text =
      "A pooler stands before it: settings are made in each transaction, nothing is prepared";
    diagnosis.ok("postgres.pooler", text);
  }
  if (server.read_only) {
    const mend = "Point DATABASE_URL or DB_HOST to the primary";
    diagnosis.fault("postgres.role", "It is read-only: a standby, or set so", mend);
  }
  diagnoseChannelBinding(wanted.options, diagnosis);
  await diagnoseSchema(sql, { rooms: wanted.rooms, schema }, diagnosis);
}

/** The setting is taken, since providers write it into every URL, and not kept: say so. */
function diagnoseChannelBinding(options: PostgresOptions, diagnosis: Diagnosis): void {
  if (!wantsChannelBinding(options)) return;
  diagnosis.warn(
    "postgres.channel_binding",
    "DATABASE_URL has channel_binding=require, and the login is not bound to the TLS connection: this program cannot do that",
    "Set sslmode=verify-full in DATABASE_URL, so that the certificate says who answers, and leave channel_binding=require out",
  );
}

function diagnoseConnections(
  { connections, connections_max: max }: ServerRow,
  diagnosis: Diagnosis,
): void {
  const free = max - connections;
  if (free >= connectionsFreeMin) return;
  const text = `${free} of ${max} connections are free; each process opens up to 10`;
  diagnosis.warn("postgres.connections", text, "Raise max_connections, or put a pooler before it");
}
