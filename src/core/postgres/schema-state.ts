import type { Diagnosis } from "../diagnosis.ts";
import type { SchemaRoom } from "./migrate.ts";
import type { PostgresOptions, SqlTransaction } from "./pool.ts";
import { schemaOf } from "./pool.ts";

interface Place {
  /** The schema that new tables come into; null when there is none yet. */
  readonly schema: string | null;
  readonly may_create_tables: boolean | null;
  readonly may_create_schemas: boolean;
  readonly versions_table: boolean;
  readonly may_read_versions: boolean | null;
  readonly owner: string | null;
}

/** Whether each room's tables are those this program knows, or can be made when it starts. */
export async function diagnoseSchema(
  sql: SqlTransaction,
  wanted: { readonly options: PostgresOptions; readonly rooms: readonly SchemaRoom[] },
  diagnosis: Diagnosis,
): Promise<void> {
  const places = await sql<Place[]>`
    SELECT current_schema() AS schema,
      has_schema_privilege(current_schema(), 'CREATE') AS may_create_tables,
      has_database_privilege(current_database(), 'CREATE') AS may_create_schemas,
      versions IS NOT NULL AS versions_table,
      has_table_privilege(versions, 'SELECT') AS may_read_versions,
      (SELECT relowner::regrole::text FROM pg_class WHERE oid = versions) AS owner
    FROM to_regclass('instant_schema_versions') AS versions`;
  const place = places[0];
  if (place === undefined) return;
  if (place.may_read_versions === false) {
    const text = `Its tables belong to ${place.owner}, and this role may not read them`;
    const mend = `Log in as ${place.owner}, or make this role a member: GRANT ${place.owner} TO <this role>`;
    diagnosis.fault("postgres.schema", text, mend);
    return;
  }
  const versions = place.versions_table
    ? await sql<{ room: string; version: number }[]>`
        SELECT room, version FROM instant_schema_versions`
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
  diagnoseMissing(place, wanted.options, behind, diagnosis);
}

function diagnoseMissing(
  place: Place,
  options: PostgresOptions,
  behind: readonly string[],
  diagnosis: Diagnosis,
): void {
  const names = behind.join(", ");
  if (place.schema === null && schemaOf(options) !== undefined && place.may_create_schemas) {
    diagnosis.ok("postgres.schema", `The first start makes the schema ${schemaOf(options)}`);
  } else if (place.may_create_tables === true) {
    diagnosis.ok("postgres.schema", `The next start makes or upgrades the tables of ${names}`);
  } else {
    const schema = place.schema ?? schemaOf(options) ?? "public";
    const mend =
      place.schema === null
        ? `As the database's owner: CREATE SCHEMA ${schema} AUTHORIZATION <this role>`
        : `As the schema's owner: GRANT CREATE ON SCHEMA ${schema} TO <this role>`;
    const text = `Tables of ${names} are to be made, and this role may not make any`;
    diagnosis.fault("postgres.schema", text, mend);
  }
}
