import type { PostgresDatabase } from "../src/core/postgres/database.ts";
import { openPostgres } from "../src/core/postgres/database.ts";

/** A database handle on a schema of its own, which is dropped when the scope ends. */
export async function openTestPostgres(
  url: string,
): Promise<PostgresDatabase & { readonly schema: string }> {
  const schema = `test_${crypto.randomUUID().replaceAll("-", "").slice(0, 16)}`;
  const database = openPostgres({ url, schema });
  await database.migrate("test", []); // creates the schema
  return {
    ...database,
    schema,
    [Symbol.asyncDispose]: async () => {
      await database.close();
      await dropSchema(url, schema);
    },
  };
}

async function dropSchema(url: string, schema: string): Promise<void> {
  await using database = openPostgres({ url, schema: undefined });
  await database.query((sql) => sql`DROP SCHEMA IF EXISTS ${sql(schema)} CASCADE`);
}
