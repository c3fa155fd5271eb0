import { join } from "node:path";
import { openSqliteSessionStore } from "../../src/auth/sessions/sqlite.ts";
import { openSqlite } from "../../src/core/sqlite/database.ts";
import { temporaryDirectory } from "../../support/temporary-directory.ts";
import { testSessionStore } from "../contract/session-store.ts";

testSessionStore("SQLite", async (options) => {
  const directory = temporaryDirectory();
  const database = await openSqlite(join(directory.path, "auth.sqlite"));
  return {
    store: await openSqliteSessionStore(database, options),
    dump: async () =>
      JSON.stringify(database.read((db) => db.query("SELECT * FROM auth_sessions").all())),
    [Symbol.asyncDispose]: async () => {
      await database.close();
      directory[Symbol.dispose]();
    },
  };
});
