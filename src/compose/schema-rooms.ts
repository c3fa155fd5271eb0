import { usersRoom } from "../auth/users/postgres.ts";
import type { SchemaRoom } from "../core/postgres/migrate.ts";
import { preferencesRoom } from "../email/preferences/postgres.ts";
import { suppressionsRoom } from "../email/suppressions/postgres.ts";

/** The rooms that have tables in Postgres. */
export const schemaRooms: readonly SchemaRoom[] = [usersRoom, preferencesRoom, suppressionsRoom];
