import type { Diagnosis } from "../diagnosis.ts";
import type { SchemaRoom } from "./migrate.ts";
import type { SqlTransaction } from "./pool.ts";
import { schemaFragment } from "./pool.ts";

/** What is there of the schema that is wanted; null where nothing is. */
interface Place {
  readonly schema: string | null;
  /** As a command takes it. */
  readonly quoted: string | null;
  readonly may_use: boolean | null;
  readonly may_create_tables: boolean | null;
  readonly may_create_schemas: boolean;
  readonly versions_table: boolean;
  readonly may_read_versions: boolean | null;
  readonly owner: string | null;
}

interface Wanted {
  readonly rooms: readonly SchemaRoom[];
  /** See `Session`. */
  readonly schema: string | undefined;
}

/** Whether each room's tables are those this program knows, or can be made when it starts. */
export async function diagnoseSchema(
  sql: SqlTransaction,
  wanted: Wanted,
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
    FROM (SELECT ${wanted.schema ?? null}::text AS name) AS wanted
    LEFT JOIN pg_catalog.pg_namespace AS found ON found.nspname = wanted.name
    LEFT JOIN pg_catalog.pg_class AS versions
      ON versions.relnamespace = found.oid AND versions.relname = 'instant_schema_versions'`;
  const place = places[0];
  if (place === undefined) return;
  if (place.may_read_versions === false) {
    const text = `Its tables belong to ${place.owner}, and this role may not read them`;
    const mend = `Log in as ${place.owner}, or make this role a member: GRANT ${place.owner} TO <this role>`;
    diagnosis.fault("postgres.schema", text, mend);
    return;
  }
  if (place.may_use === false) {
    const mend = `As the schema's owner: GRANT USAGE, CREATE ON SCHEMA ${place.quoted} TO <this role>`;
    diagnosis.fault("postgres.schema", `This role may not use the schema ${place.schema}`, mend);
    return;
  }
  const versions = place.versions_table
    ? await sql<{ room: string; version: number }[]>`
        SELECT room, version
        FROM ${schemaFragment(sql, place.schema ?? "")}.instant_schema_versions`
    : [];
  const versionOf = new Map(versions.map(({ room, version }) => [room, version]));
  const behind: string[] = [];
  for (const { room, steps } of wanted.rooms) {
    const version = versionOf.get(room) ?? 0;
    if (version > steps.length) {
      const text = `Tables of ${room} are at version ${version}; this program knows ${steps.length}`;
      const mend = "A newer release made them: run that one, or restore the backup from before it";
      diagnosis.fault("postgres.schema", text, mend);
    } else if (version < steps.length) {
      behind.push(room);
    }
  }
  if (behind.length === 0) {
    diagnosis.ok("postgres.schema", "Its tables are up to date");
    return;
  }
  diagnoseMissing(place, wanted, behind, diagnosis);
}

function diagnoseMissing(
  place: Place,
  { schema }: Wanted,
  behind: readonly string[],
  diagnosis: Diagnosis,
): void {
  const names = behind.join(", ");
  const toBeMade = `Tables of ${names} are to be made`;
  if (schema === undefined) {
    const mend = "Set DB_SCHEMA, or the search_path of this role (ALTER ROLE … SET search_path)";
    const text = `${toBeMade}, and the search_path of this role leads to no schema`;
    diagnosis.fault("postgres.schema", text, mend);
  } else if (place.schema === null && place.may_create_schemas) {
    diagnosis.ok("postgres.schema", `The first start makes the schema ${schema}`);
  } else if (place.may_create_tables === true) {
    diagnosis.ok("postgres.schema", `The next start makes or upgrades the tables of ${names}`);
  } else {
    const mend =
      place.schema === null
        ? `As the database's owner: CREATE SCHEMA ${place.quoted} AUTHORIZATION <this role>`
        : `As the schema's owner: GRANT CREATE ON SCHEMA ${place.quoted} TO <this role>`;
    diagnosis.fault("postgres.schema", `${toBeMade}, and this role may not make any`, mend);
  }
}
