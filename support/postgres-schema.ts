import type { PostgresConnection } from "../src/core/postgres/config.ts";
import { parsePostgresUrl } from "../src/core/postgres/config.ts";
import type { PostgresDatabase } from "../src/core/postgres/database.ts";
import { openPostgres } from "../src/core/postgres/database.ts";

/** What the settings make of `url`; without `schema` the URL's, or the role's own. */
export function postgresAt(url: string, schema?: string): PostgresConnection {
  const problems: string[] = [];
  const connection = parsePostgresUrl(url, problems);
  if (problems.length > 0) throw new Error(`the URL ${problems.join("; ")}`);
  return schema === undefined ? connection : { ...connection, schema };
}

/** The name of a schema of its own, which its user creates; it is dropped when the scope ends. */
export function reserveSchema(url: string): AsyncDisposable & { readonly schema: string } {
  const schema = `test_${crypto.randomUUID().replaceAll("-", "").slice(0, 16)}`;
  return {
    schema,
    [Symbol.asyncDispose]: async () => {
      await using database = openPostgres(postgresAt(url));
      await database.query((sql) => sql`DROP SCHEMA IF EXISTS ${sql(schema)} CASCADE`);
    },
  };
}

/** A database handle on a schema of its own, which is dropped when the scope ends. */
export async function openTestPostgres(
  url: string,
): Promise<PostgresDatabase & { readonly schema: string }> {
  const reserved = reserveSchema(url);
  const { schema } = reserved;
  const database = openPostgres(postgresAt(url, schema));
  await database.migrate("test", []); // creates the schema
  return Object.assign(database, {
    schema,
    [Symbol.asyncDispose]: async () => {
      await database.close();
      await reserved[Symbol.asyncDispose]();
    },
  });
}
