import { gather } from "../../core/gather.ts";
import type { PostgresDatabase, SchemaModule } from "../../core/postgres/database.ts";
import { migrateLater } from "../../core/postgres/database.ts";
import type { SchemaName, Sql } from "../../core/postgres/pool.ts";
import { uniqueViolation } from "../../core/postgres/pool.ts";
import type { Clock } from "../../core/time.ts";
import { systemClock } from "../../core/time.ts";
import schemaText from "./postgres-schema.sql" with { type: "text" };
import type { ChangeOutcome, SignInOutcome, SignInRequest, User, UserStore } from "./user-store.ts";
import { usernameKeyOf } from "./user-store.ts";

interface UserRow {
  readonly id: string;
  readonly email: string;
  readonly username: string | null;
  readonly created_at: Date;
  readonly last_sign_in_at: Date;
}

const idShape = /^[0-9a-f]{8}(?:-[0-9a-f]{4}){3}-[0-9a-f]{12}$/;

/** Before all others. */
const noId = "00000000-0000-0000-0000-000000000000";

export const usersModule: SchemaModule = { module: "auth-users", steps: [schemaText] };

/**
 * Finds the addresses beyond ASCII, however many users there are. A module of its own, so that the
 * release before it still starts on this schema.
 */
const addressesModule: SchemaModule = {
  module: "auth-users-addresses",
  steps: [
    `CREATE INDEX auth_users_beyond_ascii ON :"schema".auth_users (id)
     WHERE octet_length(email) > char_length(email)`,
  ],
};

type Query = PostgresDatabase["query"];

/**
 * Users in the table `auth_users` of Postgres, created on first use if Postgres is unavailable now.
 * Does not close the database.
 */
export async function openPostgresUserStore(
  database: PostgresDatabase,
  { clock = systemClock }: { readonly clock?: Clock } = {},
): Promise<UserStore> {
  const migrated = await migrateLater(database, usersModule.module, usersModule.steps);
  const query: Query = async (statement) => {
    await migrated();
    return database.query(statement);
  };

  async function signIn({ email, username }: SignInRequest): Promise<SignInOutcome> {
    const now = new Date(clock.now());
    const usernameKey = username === undefined ? null : usernameKeyOf(username);
    const rows = await query(
      (sql, schema) => sql<(UserRow & { created: boolean })[]>`
        INSERT INTO ${schema}.auth_users (id, email, username, username_key, created_at, last_sign_in_at)
        VALUES (${crypto.randomUUID()}, ${email}, ${username ?? null}, ${usernameKey}, ${now}, ${now})
        ON CONFLICT (email) DO UPDATE SET
          last_sign_in_at = greatest(auth_users.last_sign_in_at, excluded.last_sign_in_at),
          username = coalesce(auth_users.username, excluded.username),
          username_key = coalesce(auth_users.username_key, excluded.username_key)
        RETURNING *, (xmax = 0) AS created`, // xmax is 0 in a row that was inserted, not updated
    );
    const row = rows[0];
    if (row === undefined) throw new Error("an upsert returned no row");
    return { user: userOf(row), created: row.created };
  }

  const findOne = async (statement: (sql: Sql, schema: SchemaName) => Promise<UserRow[]>) =>
    firstUser(await query(statement));

  // Each request with a session looks a user up: a hundred at once are one statement.
  const findById = gather(async (ids: readonly string[]) => {
    const list = ids.join(",");
    const rows = await query(
      (sql, schema) => sql<UserRow[]>`
        SELECT * FROM ${schema}.auth_users WHERE id = ANY (string_to_array(${list}, ',')::uuid[])`,
    );
    const users = new Map(rows.map((row) => [row.id, userOf(row)]));
    return ids.map((id) => users.get(id));
  });

  return {
    embedded: false,
    findById: async (id) => (idShape.test(id) ? findById(id) : undefined),
    findByEmail: (email) =>
      findOne(
        (sql, schema) => sql<UserRow[]>`SELECT * FROM ${schema}.auth_users WHERE email = ${email}`,
      ),
    findByUsername: (username) =>
      findOne(
        (sql, schema) => sql<UserRow[]>`
          SELECT * FROM ${schema}.auth_users WHERE username_key = ${usernameKeyOf(username)}`,
      ),
    findBeyondAscii: async ({ after, limit }) => {
      await migrated();
      // With the first page, and not when the store opens: nobody who signs in waits for it.
      if (after === undefined) {
        await database.migrate(addressesModule.module, addressesModule.steps);
      }
      const rows = await query(
        (sql, schema) => sql<UserRow[]>`
          SELECT * FROM ${schema}.auth_users
          WHERE octet_length(email) > char_length(email) AND id > ${after ?? noId}
          ORDER BY id LIMIT ${limit}`,
      );
      return rows.map(userOf);
    },
    signIn: async (request) => {
      try {
        return await signIn(request);
      } catch (error) {
        if (uniqueViolation(error) !== "auth_users_username") throw error;
        return signIn({ ...request, username: undefined }); // taken in the meantime: the user chooses one later
      }
    },
    ...createChanges(query),
    ping: (ping) => database.ping(ping),
  };
}

/** Each is one statement, which may violate a unique constraint. */
function createChanges(query: Query): Pick<UserStore, "setUsername" | "setEmail" | "delete"> {
  async function change(
    constraint: string,
    id: string,
    statement: (sql: Sql, schema: SchemaName) => Promise<UserRow[]>,
  ): Promise<ChangeOutcome> {
    if (!idShape.test(id)) return { kind: "gone" };
    try {
      const user = firstUser(await query(statement));
      return user === undefined ? { kind: "gone" } : { kind: "changed", user };
    } catch (error) {
      if (uniqueViolation(error) !== constraint) throw error;
      return { kind: "taken" };
    }
  }

  return {
    setUsername: ({ id, username }) =>
      change(
        "auth_users_username",
        id,
        (sql, schema) => sql<UserRow[]>`
          UPDATE ${schema}.auth_users SET username = ${username}, username_key = ${usernameKeyOf(username)}
          WHERE id = ${id} RETURNING *`,
      ),
    setEmail: ({ id, email }) =>
      change(
        "auth_users_email",
        id,
        (sql, schema) => sql<UserRow[]>`
          UPDATE ${schema}.auth_users SET email = ${email} WHERE id = ${id} RETURNING *`,
      ),
    delete: async (id) => {
      if (!idShape.test(id)) return false;
      const deleted = await query(
        (sql, schema) => sql`DELETE FROM ${schema}.auth_users WHERE id = ${id} RETURNING id`,
      );
      return deleted.length > 0;
    },
  };
}

function firstUser([row]: readonly UserRow[]): User | undefined {
  return row === undefined ? undefined : userOf(row);
}

function userOf(row: UserRow): User {
  return {
    id: row.id,
    email: row.email,
    username: row.username ?? undefined,
    createdAt: row.created_at.getTime(),
    lastSignInAt: row.last_sign_in_at.getTime(),
  };
}
