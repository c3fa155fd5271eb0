import type { Clock } from "../../core/clock.ts";
import { systemClock } from "../../core/clock.ts";
import type { PostgresDatabase } from "../../core/postgres/database.ts";
import { uniqueViolation } from "../../core/postgres/errors.ts";
import type { Sql } from "../../core/postgres/pool.ts";
import schemaText from "./postgres-schema.sql" with { type: "text" };
import type { SignInOutcome, SignInRequest, User, UserStore } from "./user-store.ts";
import { usernameKeyOf } from "./username.ts";

interface UserRow {
  readonly id: string;
  readonly email: string;
  readonly username: string | null;
  readonly created_at: Date;
  readonly last_sign_in_at: Date;
}

const idShape = /^[0-9a-f]{8}(?:-[0-9a-f]{4}){3}-[0-9a-f]{12}$/;

/** Users in the table `auth_users` of Postgres. Does not close the database it is given. */
export async function openPostgresUserStore(
  database: PostgresDatabase,
  { clock = systemClock }: { readonly clock?: Clock } = {},
): Promise<UserStore> {
  await database.migrate("auth-users", [schemaText]);

  async function signIn({ email, username }: SignInRequest): Promise<SignInOutcome> {
    const now = new Date(clock.now());
    const usernameKey = username === undefined ? null : usernameKeyOf(username);
    const rows = await database.query(
      (sql) => sql<(UserRow & { created: boolean })[]>`
        INSERT INTO auth_users (id, email, username, username_key, created_at, last_sign_in_at)
        VALUES (${crypto.randomUUID()}, ${email}, ${username ?? null}, ${usernameKey}, ${now}, ${now})
        ON CONFLICT (email) DO UPDATE SET
          last_sign_in_at = greatest(auth_users.last_sign_in_at, excluded.last_sign_in_at),
          username = coalesce(auth_users.username, excluded.username),
          username_key = coalesce(auth_users.username_key, excluded.username_key)
        RETURNING *, (xmax = 0) AS created`, // xmax is 0 in a row that was inserted, not updated
    );
    const row = rows[0];
    if (row === undefined) throw new Error("an upsert returns its row");
    return { user: userOf(row), created: row.created };
  }

  const findOne = async (query: (sql: Sql) => Promise<UserRow[]>) => {
    const row = (await database.query(query))[0];
    return row === undefined ? undefined : userOf(row);
  };

  return {
    embedded: false,
    findById: async (id) =>
      idShape.test(id)
        ? findOne((sql) => sql<UserRow[]>`SELECT * FROM auth_users WHERE id = ${id}`)
        : undefined,
    findByEmail: (email) =>
      findOne((sql) => sql<UserRow[]>`SELECT * FROM auth_users WHERE email = ${email}`),
    findByUsername: (username) =>
      findOne(
        (sql) => sql<UserRow[]>`
          SELECT * FROM auth_users WHERE username_key = ${usernameKeyOf(username)}`,
      ),
    signIn: async (request) => {
      try {
        return await signIn(request);
      } catch (error) {
        if (uniqueViolation(error) !== "auth_users_username") throw error;
        return signIn({ ...request, username: undefined }); // taken meanwhile: chosen later
      }
    },
    ping: (ping) => database.ping(ping),
  };
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
