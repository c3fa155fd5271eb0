import { join } from "node:path";
import { openSqliteCodeStore } from "../../src/auth/codes/sqlite.ts";
import { openSqlite } from "../../src/core/sqlite/database.ts";
import { temporaryDirectory } from "../../support/temporary-directory.ts";
import { testCodeStore } from "../contract/code-store.ts";

testCodeStore("SQLite", async (options) => {
  const directory = temporaryDirectory();
  const database = await openSqlite(join(directory.path, "auth.sqlite"));
  return {
    store: await openSqliteCodeStore(database, options),
    [Symbol.asyncDispose]: async () => {
      await database.close();
      directory[Symbol.dispose]();
    },
  };
});
