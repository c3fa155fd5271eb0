import type { Database } from "bun:sqlite";
import type { SqliteDatabase } from "../../core/sqlite/database.ts";
import type { Clock } from "../../core/time.ts";
import { systemClock } from "../../core/time.ts";
import emailChangesText from "./sqlite-email-changes.sql" with { type: "text" };
import schemaText from "./sqlite-schema.sql" with { type: "text" };
import type {
  ChangeOutcome,
  EmailChange,
  SetEmailRequest,
  SignInOutcome,
  SignInRequest,
  User,
  UserStore,
} from "./user-store.ts";
import { emailUndoMs, usernameKeyOf } from "./user-store.ts";

interface UserRow {
  readonly id: string;
  readonly email: string;
  readonly username: string | null;
  readonly created_at: number;
  readonly last_sign_in_at: number;
}

type UserColumn = "id" | "email" | "username_key";

/** More bytes than characters: found by an index, however many users there are. */
const beyondAscii = "length(CAST(email AS BLOB)) > length(email)";

/** Users in the table `auth_users` of a SQLite file. Does not close the file. */
export async function openSqliteUserStore(
  database: SqliteDatabase,
  { clock = systemClock }: { readonly clock?: Clock } = {},
): Promise<UserStore> {
  await database.migrate("auth-users", [schemaText]);
  // A module of its own, so that the release before it still starts on this file.
  await database.migrate("auth-users-addresses", [
    `CREATE INDEX auth_users_beyond_ascii ON auth_users (id) WHERE ${beyondAscii}`,
  ]);
  await database.migrate("auth-email-changes", [emailChangesText]);
  const find = (column: UserColumn, value: string) =>
    database.read((db) => findUser(db, column, value));
  return {
    embedded: true,
    findById: async (id) => find("id", id),
    findByEmail: async (email) => find("email", email),
    findByUsername: async (username) => find("username_key", usernameKeyOf(username)),
    findBeyondAscii: async ({ after = "", limit }) =>
      database.read((db) =>
        db
          .query<UserRow, [string, number]>(
            `SELECT * FROM auth_users WHERE ${beyondAscii} AND id > ? ORDER BY id LIMIT ?`,
          )
          .all(after, limit)
          .map(userOf),
      ),
    signIn: (request) => database.write((db) => signIn(db, request, clock.now())),
    setUsername: ({ id, username }) =>
      database.write((db) => {
        const key = usernameKeyOf(username);
        return change(db, id, findUser(db, "username_key", key), () => {
          const query = db.query(
            "UPDATE auth_users SET username = ?, username_key = ? WHERE id = ?",
          );
          query.run(username, key, id);
        });
      }),
    setEmail: (request) => database.write((db) => setEmail(db, request, clock.now())),
    findEmailChange: async (undo) =>
      database.read((db) => findEmailChange(db, undo, clock.now() - emailUndoMs)),
    findEmailChangedAt: async (id) =>
      database.read((db) => {
        const row = db
          .query<{ at: number | null }, [string, number]>(
            "SELECT max(changed_at) AS at FROM auth_email_changes WHERE user_id = ? AND changed_at > ?",
          )
          .get(id, clock.now() - emailUndoMs);
        return row?.at ?? undefined;
      }),
    undoEmailChange: ({ id, undo }) =>
      database.write((db) => {
        const made = findEmailChange(db, undo, clock.now() - emailUndoMs);
        if (made?.userId !== id) return { kind: "gone" };
        return change(db, id, findUser(db, "email", made.email), () => {
          db.query("UPDATE auth_users SET email = ? WHERE id = ?").run(made.email, id);
          db.query(
            `DELETE FROM auth_email_changes WHERE user_id = ? AND seq >=
               (SELECT seq FROM auth_email_changes WHERE name = ?)`,
          ).run(id, undo);
        });
      }),
    delete: (id) =>
      database.write((db) => {
        db.query("DELETE FROM auth_email_changes WHERE user_id = ?").run(id);
        return db.query("DELETE FROM auth_users WHERE id = ?").run(id).changes > 0;
      }),
    ping: async () => {
      database.read((db) => db.query("SELECT 1 FROM auth_users LIMIT 1").get());
    },
  };
}

function signIn(db: Database, { email, username }: SignInRequest, now: number): SignInOutcome {
  const known = findUser(db, "email", email);
  const id = known?.id ?? crypto.randomUUID();
  if (known === undefined) {
    db.query(
      "INSERT INTO auth_users (id, email, created_at, last_sign_in_at) VALUES (?, ?, ?, ?)",
    ).run(id, email, now, now);
  } else {
    db.query("UPDATE auth_users SET last_sign_in_at = max(last_sign_in_at, ?) WHERE id = ?").run(
      now,
      id,
    );
  }
  if (username !== undefined && known?.username === undefined) {
    // Ignored when it was taken in the meantime: the user chooses one later.
    const key = usernameKeyOf(username);
    db.query("UPDATE OR IGNORE auth_users SET username = ?, username_key = ? WHERE id = ?").run(
      username,
      key,
      id,
    );
  }
  const user = findUser(db, "id", id);
  if (user === undefined) throw new Error("a row that was just written is missing");
  return { user, created: known === undefined };
}

function setEmail(
  db: Database,
  { id, from, email, undo }: SetEmailRequest,
  now: number,
): ChangeOutcome {
  const before = findUser(db, "id", id)?.email;
  if (before !== from && before !== email) return { kind: "gone" };
  return change(db, id, findUser(db, "email", email), () => {
    db.query("UPDATE auth_users SET email = ? WHERE id = ?").run(email, id);
    if (undo === undefined || before === email) return;
    db.query("DELETE FROM auth_email_changes WHERE changed_at <= ?").run(now - emailUndoMs);
    db.query(
      "INSERT INTO auth_email_changes (name, user_id, email, changed_at) VALUES (?, ?, ?, ?)",
    ).run(undo, id, from, now);
  });
}

function findEmailChange(db: Database, undo: string, since: number): EmailChange | undefined {
  const row = db
    .query<EmailChange, [string, number]>(
      `SELECT user_id AS userId, email FROM auth_email_changes
       WHERE name = ? AND changed_at > ?`,
    )
    .get(undo, since);
  return row ?? undefined;
}

/** `owner`: the user who has the value now. */
function change(
  db: Database,
  id: string,
  owner: User | undefined,
  update: () => void,
): ChangeOutcome {
  if (findUser(db, "id", id) === undefined) return { kind: "gone" };
  if (owner !== undefined && owner.id !== id) return { kind: "taken" };
  update();
  const user = findUser(db, "id", id);
  return user === undefined ? { kind: "gone" } : { kind: "changed", user };
}

function findUser(db: Database, column: UserColumn, value: string): User | undefined {
  const row = db
    .query<UserRow, [string]>(`SELECT * FROM auth_users WHERE ${column} = ?`)
    .get(value);
  return row === null ? undefined : userOf(row);
}

function userOf(row: UserRow): User {
  return {
    id: row.id,
    email: row.email,
    username: row.username ?? undefined,
    createdAt: row.created_at,
    lastSignInAt: row.last_sign_in_at,
  };
}
