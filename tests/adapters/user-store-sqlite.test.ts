import { join } from "node:path";
import { openSqliteUserStore } from "../../src/auth/users/sqlite.ts";
import { openSqlite } from "../../src/core/sqlite/database.ts";
import { temporaryDirectory } from "../../support/temporary-directory.ts";
import { testUserStore } from "../contract/user-store.ts";

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
