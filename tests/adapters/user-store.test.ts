import { expect, test } from "bun:test";
import { join } from "node:path";
import { openPostgresUserStore } from "../../src/auth/users/postgres.ts";
import { openSqliteUserStore } from "../../src/auth/users/sqlite.ts";
import { openPostgres } from "../../src/core/postgres/database.ts";
import { openSqlite } from "../../src/core/sqlite/database.ts";
import { findEngine } from "../../support/engines.ts";
import { openTestPostgres } from "../../support/postgres-schema.ts";
import { StallableProxy } from "../../support/stallable-proxy.ts";
import { temporaryDirectory } from "../../support/temporary-directory.ts";
import { testUserStore } from "../contract/user-store.ts";

const url = findEngine("postgres");

if (url !== undefined) {
  testUserStore("Postgres", async (options) => {
    const database = await openTestPostgres(url);
    return {
      store: await openPostgresUserStore(database, options),
      [Symbol.asyncDispose]: () => database[Symbol.asyncDispose](),
    };
  });
}

test.skipIf(url === undefined)(
  "users on Postgres: opens while it is unavailable, and creates its table when it is back",
  async () => {
    await using owned = await openTestPostgres(url ?? "");
    const away = new URL(url ?? "");
    await using proxy = new StallableProxy(away.host);
    away.host = `127.0.0.1:${proxy.port}`;
    proxy.cut();
    await using database = openPostgres({ url: away.href, schema: owned.schema });
    const store = await openPostgresUserStore(database);
    const refused = store.findByEmail("ana@example.com");
    await expect(refused).rejects.toMatchObject({ code: "postgres_unavailable" });
    proxy.resume();
    const { user } = await store.signIn({ email: "ana@example.com", username: undefined });
    expect(await store.findById(user.id)).toEqual(user);
  },
);

test("a Postgres that is not there is named, with the fix", async () => {
  const database = openPostgres({
    url: "postgres://ana:secret@127.0.0.1:5/app",
    schema: undefined,
  });
  await using _ = database;
  const error = await database.query((sql) => sql`SELECT 1`).catch(String);
  expect(error).toContain("nothing listens on 127.0.0.1:5: start Postgres there");
  expect(error).not.toContain("secret");
});

testUserStore("SQLite", async (options) => {
  const directory = temporaryDirectory();
  const database = await openSqlite(join(directory.path, "auth.sqlite"));
  return {
    store: await openSqliteUserStore(database, options),
    [Symbol.asyncDispose]: async () => {
      await database.close();
      directory[Symbol.dispose]();
    },
  };
});
