import { gather } from "../../core/gather.ts";
import type { PostgresDatabase, SchemaModule } from "../../core/postgres/database.ts";
import { migrateLater } from "../../core/postgres/database.ts";
import type { SchemaName, Sql } from "../../core/postgres/pool.ts";
import { uniqueViolation } from "../../core/postgres/pool.ts";
import type { Clock } from "../../core/time.ts";
import { systemClock } from "../../core/time.ts";
import emailChangesText from "./postgres-email-changes.sql" with { type: "text" };
import schemaText from "./postgres-schema.sql" with { type: "text" };
import type { ChangeOutcome, SignInOutcome, SignInRequest, User, UserStore } from "./user-store.ts";
import { emailUndoMs, usernameKeyOf } from "./user-store.ts";

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

export const emailChangesModule: SchemaModule = {
  module: "auth-email-changes",
  steps: [emailChangesText],
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
  const afterUsers: Pick<PostgresDatabase, "migrate"> = {
    migrate: async (module, steps) => {
      await migrated();
      await database.migrate(module, steps);
    },
  };
  const { module, steps } = emailChangesModule;
  const changesMigrated = await migrateLater(afterUsers, module, steps);

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
    ...createEmailChanges(database, changesMigrated, clock),
    ping: (ping) => database.ping(ping),
  };
}

/** Each is one statement, which may violate a unique constraint. */
function createChanges(query: Query): Pick<UserStore, "setUsername" | "delete"> {
  return {
    setUsername: ({ id, username }) =>
      change("auth_users_username", id, () =>
        query(
          (sql, schema) => sql<UserRow[]>`
          UPDATE ${schema}.auth_users SET username = ${username}, username_key = ${usernameKeyOf(username)}
          WHERE id = ${id} RETURNING *`,
        ),
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

async function change(
  constraint: string,
  id: string,
  update: () => Promise<UserRow[]>,
): Promise<ChangeOutcome> {
  if (!idShape.test(id)) return { kind: "gone" };
  try {
    const user = firstUser(await update());
    return user === undefined ? { kind: "gone" } : { kind: "changed", user };
  } catch (error) {
    if (uniqueViolation(error) !== constraint) throw error;
    return { kind: "taken" };
  }
}

type EmailCalls = "setEmail" | "findEmailChange" | "findEmailChangedAt" | "undoEmailChange";

/** Both changes lock the user's row first, so one of two at once sees all that the other wrote. */
function createEmailChanges(
  database: PostgresDatabase,
  migrated: () => Promise<void>,
  clock: Clock,
): Pick<UserStore, EmailCalls> {
  const query: Query = async (statement) => {
    await migrated();
    return database.query(statement);
  };
  const since = () => new Date(clock.now() - emailUndoMs);
  return {
    setEmail: ({ id, from, email, undo = null }) =>
      change("auth_users_email", id, () =>
        query(
          (sql, schema) => sql<UserRow[]>`
          WITH before AS (
            SELECT id, email FROM ${schema}.auth_users
            WHERE id = ${id} AND email IN (${from}, ${email}) FOR UPDATE
          ), expired AS (
            DELETE FROM ${schema}.auth_email_changes WHERE changed_at <= ${since()}
          ), kept AS (
            INSERT INTO ${schema}.auth_email_changes (name, user_id, email, changed_at)
            SELECT ${undo}, id, email, ${new Date(clock.now())} FROM before
            WHERE ${undo}::text IS NOT NULL AND email <> ${email}
          )
          UPDATE ${schema}.auth_users SET email = ${email} FROM before
          WHERE auth_users.id = before.id RETURNING auth_users.*`,
        ),
      ),
    findEmailChange: async (undo) => {
      const [row] = await query(
        (sql, schema) => sql<{ user_id: string; email: string }[]>`
          SELECT user_id, email FROM ${schema}.auth_email_changes
          WHERE name = ${undo} AND changed_at > ${since()}`,
      );
      return row && { userId: row.user_id, email: row.email };
    },
    findEmailChangedAt: async (id) => {
      if (!idShape.test(id)) return undefined;
      const [row] = await query(
        (sql, schema) => sql<{ at: Date | null }[]>`
          SELECT max(changed_at) AS at FROM ${schema}.auth_email_changes
          WHERE user_id = ${id} AND changed_at > ${since()}`,
      );
      return row?.at?.getTime();
    },
    undoEmailChange: ({ id, undo }) =>
      change("auth_users_email", id, async () => {
        await migrated();
        return database.transaction(async (sql, schema) => {
          await sql`SELECT 1 FROM ${schema}.auth_users WHERE id = ${id} FOR UPDATE`;
          return sql<UserRow[]>`
            WITH forgotten AS (
              DELETE FROM ${schema}.auth_email_changes WHERE user_id = ${id} AND seq >= (
                SELECT seq FROM ${schema}.auth_email_changes
                WHERE name = ${undo} AND user_id = ${id} AND changed_at > ${since()})
              RETURNING name, email
            )
            UPDATE ${schema}.auth_users SET email = forgotten.email FROM forgotten
            WHERE auth_users.id = ${id} AND forgotten.name = ${undo} RETURNING auth_users.*`;
        });
      }),
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
